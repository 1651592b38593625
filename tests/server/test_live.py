"""Streams of changes: what they tell, who may have them and how many, and that they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from api_clients import Client

from webhook_engine import Engine
from webhook_engine.server import live
from webhook_engine.server.listener import Server

ACCEPT = {"accept": "text/event-stream"}


@asynccontextmanager
async def stream(session: aiohttp.ClientSession, client: Client) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"authorization": f"Bearer {client.token}", **ACCEPT}
    async with session.get(f"{client.url}/api/v1/app/acme/changes", headers=headers) as response:
        yield response


async def heard(response: aiohttp.ClientResponse, event: str) -> None:
    """Read up to this event; the test ends in time if it does not come."""
    async with asyncio.timeout(10):
        async for line in response.content:
            if line.strip() == f"event: {event}".encode():
                return
    raise AssertionError(f"the stream ended without {event}")


async def test_a_stream_tells_of_messages_and_edits(
    acme: Client, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.02)
    portal = acme.with_token((await acme.post("/auth/app-portal-access/acme", {"readOnly": True})).json["token"])
    async with stream(session, portal) as response:
        assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
        await heard(response, "open")
        await asyncio.sleep(0.05)
        await acme.post("/app/acme/endpoint", {"url": "https://example.com/"})
        await heard(response, "changed")
        await acme.post("/app/acme/msg", {"eventType": "a.b", "payload": {}})
        await heard(response, "changed")


async def test_a_stream_ends_with_its_token_and_with_the_server(
    acme: Client, session: aiohttp.ClientSession, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY_S", 0.02)
    portal = acme.with_token((await acme.post("/auth/app-portal-access/acme", {})).json["token"])
    async with stream(session, portal) as response, asyncio.timeout(10):
        await heard(response, "open")
        await acme.post("/auth/app/acme/expire-all", {})
        await response.content.read()
    assert (await portal.get("/app/acme/changes")).status == 401
    async with stream(session, acme) as response, asyncio.timeout(10):
        await heard(response, "open")
        await server.stop()
        await response.content.read()


async def test_there_are_only_so_many_streams(
    acme: Client, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS_OF_TOKEN", 1)
    monkeypatch.setattr(live, "MAX_STREAMS", 2)
    monkeypatch.setattr(live, "CHECK_EVERY_S", 0.02)
    others = [acme.with_token((await acme.post("/auth/app-portal-access/acme", {})).json["token"]) for _ in range(2)]
    async with stream(session, acme) as first:
        await heard(first, "open")
        refused = await acme.get("/app/acme/changes", headers=ACCEPT)
        assert (refused.status, refused.json["code"]) == (429, "too_many_streams")
        assert "retry-after" in refused.headers
        async with stream(session, others[0]) as second:
            await heard(second, "open")
            assert (await others[1].get("/app/acme/changes", headers=ACCEPT)).status == 429
    async with asyncio.timeout(10):
        while True:
            # The places of those that have left are free again.
            async with stream(session, acme) as again:
                if again.status == 200:
                    break
            await asyncio.sleep(0.02)


async def test_a_stream_is_for_those_who_may_see_the_application(acme: Client, engine: Engine) -> None:
    await engine.applications.create(name="Other", uid="other")
    token = (await acme.post("/auth/app-portal-access/other", {})).json["token"]
    assert (await acme.with_token(token).get("/app/acme/changes")).status == 404
    nothing = (await acme.post("/auth/app-portal-access/acme", {"capabilities": []})).json["token"]
    assert (await acme.with_token(nothing).get("/app/acme/changes")).status == 403
    assert (await acme.get("/app/nobody/changes")).status == 404


async def test_a_stream_is_only_for_those_who_ask_for_one(acme: Client) -> None:
    assert (await acme.get("/app/acme/changes")).status == 406
