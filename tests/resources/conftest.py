"""An engine on a file of its own, and a receiver on loopback that keeps what it gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from webhook_engine import Engine, ManualClock
from webhook_engine.events import OperationalEvent

START = datetime(2030, 6, 1, 12, tzinfo=UTC)


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        return web.Response(status=self.status, text="seen")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    application = web.Application()
    application.router.add_post("/", one.handle)
    async with TestServer(application, host="127.0.0.1") as server:
        one.url = f"http://127.0.0.1:{server.port}/"
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
