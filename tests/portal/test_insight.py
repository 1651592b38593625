"""What the portal asks of the API beyond what other clients ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from receivers import Receiver

from webhook_engine import Engine


class Client:
    """The API with the token of a portal session."""

    def __init__(self, engine: Engine, url: str, http: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.url = url
        self.http = http
        self.headers: dict[str, str] = {}

    async def sign_in(self) -> None:
        """Exchange the key of a link for a token."""
        key = (await self.engine.portal.url("acme", read_only=True)).partition("#key=")[2]
        async with self.http.post(f"{self.url}/api/v1/auth/portal-session", json={"key": key}) as answer:
            self.headers = {"authorization": f"Bearer {(await answer.json())['token']}"}

    async def get(self, path: str, **query: str) -> Any:
        """The answer to a GET below the application."""
        url = f"{self.url}/api/v1/app/acme/{path}"
        async with self.http.get(url, params=query, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an engine with the application ``acme``."""
    async with (
        Engine.open(tmp_path / "engine.db", allow_subnets=["127.0.0.0/8"], retry_schedule=[]) as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as http,
    ):
        await engine.applications.create(name="Acme", uid="acme")
        one = Client(engine, server.url, http)
        await one.sign_in()
        yield one


async def test_messages_say_how_they_stand_at_all_endpoints_together(client: Client) -> None:
    async with Receiver() as good, Receiver(500) as bad:
        await client.engine.endpoints.create("acme", url=good.url, channels=["good", "both"])
        await client.engine.endpoints.create("acme", url=bad.url, channels=["bad", "both"])
        for channel in ("good", "bad", "both", "none"):
            await client.engine.messages.create("acme", event_type=channel, payload={}, channels=[channel])
        await client.engine.join(10)
        listed = await client.get("message-state")
        assert [(each["eventType"], each["status"], each["succeeded"], each["failed"]) for each in listed["data"]] == [
            ("none", None, 0, 0),
            ("both", 2, 1, 1),
            ("bad", 2, 0, 1),
            ("good", 0, 1, 0),
        ]
        failed = await client.get("message-state", status="2")
        assert [each["eventType"] for each in failed["data"]] == ["both", "bad"]
        assert failed["done"] is True


async def test_pages_of_a_state_are_complete(client: Client) -> None:
    async with Receiver(lambda request: 500 if b"odd" in request.body else 200) as receiver:
        await client.engine.endpoints.create("acme", url=receiver.url)
        for number in range(12):
            payload = {"odd": number} if number % 2 else {"even": number}
            await client.engine.messages.create("acme", event_type="n", payload=payload, event_id=f"n{number}")
        await client.engine.join(10)
    seen: list[str] = []
    query = {"status": "2", "limit": "2"}
    while True:
        page = await client.get("message-state", **query)
        seen += [each["eventId"] for each in page["data"]]
        if page["done"]:
            break
        query["iterator"] = page["iterator"]
    assert seen == ["n11", "n9", "n7", "n5", "n3", "n1"]


async def test_attempts_are_counted_over_time(client: Client) -> None:
    async with Receiver([200, 200, 500]) as receiver:
        endpoint = await client.engine.endpoints.create("acme", url=receiver.url)
        for _ in range(3):
            await client.engine.messages.create("acme", event_type="n", payload={})
            await client.engine.join(10)
    counted = await client.get(f"endpoint/{endpoint.id}/stats/by-time", parts="7")
    assert len(counted["data"]) == 7
    assert [(each["success"], each["fail"]) for each in counted["data"]] == [(0, 0)] * 6 + [(2, 1)]


async def test_an_attempt_shows_its_request_headers_without_secrets(client: Client) -> None:
    async with Receiver() as receiver:
        await client.engine.endpoints.create(
            "acme", url=receiver.url, headers={"X-Team": "billing", "Authorization": "Bearer hush"}
        )
        message = await client.engine.messages.create("acme", event_type="n", payload={})
        await client.engine.join(10)
        [request] = receiver.requests
    [attempt] = (await client.engine.attempts.list_by_message("acme", message.id)).data
    headers = (await client.get(f"msg/{message.id}/attempt/{attempt.id}/headers"))["headers"]
    for name in ("webhook-id", "webhook-timestamp", "svix-id", "X-Team", "user-agent", "content-type"):
        assert headers[name] == request.headers[name], name
    assert "hush" not in str(headers)
    assert request.headers["webhook-signature"] not in str(headers)


async def test_an_endpoint_says_why_it_is_disabled(client: Client) -> None:
    async with Receiver(410) as receiver:
        endpoint = await client.engine.endpoints.create("acme", url=receiver.url)
        assert "disabledAt" not in await client.get(f"endpoint/{endpoint.id}")
        await client.engine.messages.create("acme", event_type="n", payload={})
        await client.engine.join(10)
    shown = await client.get(f"endpoint/{endpoint.id}")
    assert shown["disabled"] is True
    assert "410" in shown["disabledReason"]
    assert shown["disabledAt"] >= shown["firstFailureAt"]
