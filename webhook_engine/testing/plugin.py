"""The pytest plugin: fixtures for an engine, a receiver and a clock, found by its entry point.

The fixtures are asynchronous: they need pytest-asyncio, or anyio's plugin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from webhook_engine.clock import ManualClock
    from webhook_engine.engine import Engine
    from webhook_engine.testing.receiver import Receiver

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:
    async_fixture = pytest.fixture  # type: ignore[assignment] # for anyio, whose fixtures are plain ones

__all__ = ["pytest_configure", "webhook_clock", "webhook_engine", "webhook_receiver"]

MARKER = "webhook_engine"

# The fixtures import what they need when used, so that other test runs do not pay for it.


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**settings): settings of the fixture webhook_engine, as for Engine.open (retry_schedule=['1s'])",
    )


@pytest.fixture
def webhook_clock() -> ManualClock:
    """The clock of the fixture ``webhook_engine``; ``webhook_clock.advance(hours=5)`` lets time pass.

    A retry is made when it is due by this clock: ``await webhook_engine.join()`` waits for it. To run the whole
    schedule, ``await travel(webhook_engine, webhook_clock, days=2)`` stops at each retry on the way.
    """
    from webhook_engine.clock import ManualClock  # noqa: PLC0415

    return ManualClock()


@async_fixture
async def webhook_engine(request: pytest.FixtureRequest, webhook_clock: ManualClock) -> AsyncIterator[Engine]:
    """A running engine on a temporary file, which may send to receivers on this machine and uses ``webhook_clock``.

    ``@pytest.mark.webhook_engine(retry_schedule=["1s"])`` gives it settings, as ``Engine.open`` takes them.
    """
    from webhook_engine.testing.engines import temporary_engine  # noqa: PLC0415

    settings: dict[str, object] = {}
    for marker in reversed([*request.node.iter_markers(MARKER)]):  # the nearest one last, so that it wins
        settings |= marker.kwargs
    async with temporary_engine(clock=webhook_clock, **settings) as engine:
        yield engine


@pytest.fixture
def webhook_engine_in_use(request: pytest.FixtureRequest) -> Engine | None:
    """The fixture ``webhook_engine``, if the test uses it."""
    # Requested in a plain fixture, since an asynchronous one cannot wait for another here.
    return request.getfixturevalue("webhook_engine") if "webhook_engine" in request.fixturenames else None


@async_fixture
async def webhook_receiver(webhook_engine_in_use: Engine | None, webhook_clock: ManualClock) -> AsyncIterator[Receiver]:
    """A receiver on this machine: ``.url``, ``.requests``, ``.fail(n)``, ``.answer(status=…, delay=…)``.

    In a test that also uses ``webhook_engine``, it verifies each request with the secrets of the endpoints that have
    its URL, and the test fails if a signature is wrong.
    """
    from webhook_engine.testing.receiver import Receiver  # noqa: PLC0415

    async with Receiver(clock=webhook_clock) as receiver:
        if webhook_engine_in_use is not None:
            receiver.verify_for(webhook_engine_in_use)
        yield receiver
    receiver.assert_verified()
