"""An engine on a file of its own, and a receiver on loopback that keeps what it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engines import local_engine, record_events
from receivers import Receiver, Reply

from webhook_engine import Endpoint, Engine, ManualClock
from webhook_engine.events import OperationalEvent

START = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(Reply(200, b"seen")) as one:
        yield one


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def engine(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Engine]:
    async with local_engine(tmp_path / "webhooks.db", clock, retry_schedule=[]) as running:
        await running.applications.create(name="Acme", uid="acme")
        yield running


@pytest.fixture
def told(engine: Engine) -> list[OperationalEvent]:
    """The operational events, in order."""
    return record_events(engine)


@pytest.fixture
async def endpoint(engine: Engine, receiver: Receiver) -> Endpoint:
    """An endpoint of ``acme`` at the receiver."""
    return await engine.endpoints.create("acme", url=receiver.url, uid="main")
