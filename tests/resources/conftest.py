"""An engine on a file of its own, and a receiver on loopback that keeps what it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from receivers import Receiver, Reply

from webhook_engine import Engine, ManualClock
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
    settings = {"allow_subnets": ["127.0.0.1/32"], "retry_schedule": []}
    async with Engine.open(tmp_path / "webhooks.db", clock=clock, **settings) as running:
        await running.applications.create(name="Acme", uid="acme")
        yield running


@pytest.fixture
def told(engine: Engine) -> list[OperationalEvent]:
    """The operational events, in order."""
    events: list[OperationalEvent] = []
    engine.on(OperationalEvent)(events.append)
    return events
