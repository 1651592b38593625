"""A served engine that may call no private address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from webhook_engine import Engine, ManualClock


class Play:
    """Play as a client sees it."""

    def __init__(self, engine: Engine, url: str, client: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.url = url
        self.client = client

    async def inbox(self) -> dict[str, str]:
        """A new inbox."""
        async with self.client.post(f"{self.url}/play/") as answer:
            assert answer.status == 201
            return dict(await answer.json())

    async def received(self, token: str, after: str = "") -> list[dict[str, object]]:
        """What an inbox has received."""
        async with self.client.get(f"{self.url}/play/inbox/{token}", params={"after": after}) as answer:
            assert answer.status == 200
            return list((await answer.json())["requests"])


@pytest.fixture
def settings() -> dict[str, object]:
    """What a test configures."""
    return {}


@pytest.fixture
def clock() -> ManualClock:
    """Time stands still until a test moves it."""
    return ManualClock()


@pytest_asyncio.fixture
async def play(tmp_path: Path, clock: ManualClock, settings: dict[str, object]) -> AsyncIterator[Play]:
    """Play, served."""
    options: dict[str, object] = {"retry_schedule": [], **settings}
    async with (
        Engine.open(tmp_path / "engine.db", clock=clock, **options) as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as client,
    ):
        yield Play(engine, server.url, client)
