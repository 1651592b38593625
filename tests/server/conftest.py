"""A listening server on a fresh database, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from api_clients import JWT_SECRET, Client, Tokens
from engines import local_engine
from svix.api import SvixAsync, SvixOptions

from webhook_engine import Engine
from webhook_engine.server.listener import Server


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def settings() -> dict[str, object]:
    """Overridden where a test wants another configuration."""
    return {}


@pytest_asyncio.fixture
async def engine(tmp_path: Path, settings: dict[str, object]) -> AsyncIterator[Engine]:
    base = {"retry_schedule": ["50ms", "50ms"], "shutdown_grace": "1s", "auth__jwt_secret": JWT_SECRET}
    async with local_engine(tmp_path / "webhooks.db", **{**base, **settings}) as running:
        yield running


@pytest_asyncio.fixture
async def server(engine: Engine) -> AsyncIterator[Server]:
    async with engine.serve("127.0.0.1:0") as listening:
        yield listening


@pytest_asyncio.fixture
async def api(server: Server, session: aiohttp.ClientSession, tokens: Tokens) -> Client:
    """A client with the token of the organization."""
    return Client(session, server.url, tokens.organization())


@pytest_asyncio.fixture
async def acme(api: Client) -> Client:
    """The client, and an application ``acme`` there is."""
    assert (await api.post("/app", {"name": "Acme", "uid": "acme"})).status == 201
    return api


Sdk = Callable[[str], SvixAsync]


@pytest_asyncio.fixture
async def sdk(server: Server) -> AsyncIterator[Sdk]:
    """Makes the official SDK's client for a token."""
    made: list[SvixAsync] = []

    def make(token: str) -> SvixAsync:
        made.append(SvixAsync(token, SvixOptions(server_url=server.url)))
        return made[-1]

    yield make
    for client in made:
        await client._httpx_client.aclose()  # the SDK has no way of its own to close one


@pytest_asyncio.fixture
async def svix(sdk: Sdk, tokens: Tokens) -> SvixAsync:
    """The official SDK, for the organization."""
    return sdk(tokens.organization())
