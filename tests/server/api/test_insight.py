"""What the portal asks of the API beyond what other clients ask for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from names import Names
from receivers import Receiver, Reply, refusing

from webhook_engine import Engine


class Client:
    """The API with the token of a portal session."""

    def __init__(self, engine: Engine, url: str, http: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.url = url
        self.http = http
        self.headers: dict[str, str] = {}

    async def sign_in(self, *, read_only: bool = True) -> None:
        """Exchange the key of a link for a token."""
        key = (await self.engine.portal.url("acme", read_only=read_only)).partition("#key=")[2]
        async with self.http.post(f"{self.url}/api/v1/auth/portal-session", json={"key": key}) as answer:
            self.headers = {"authorization": f"Bearer {(await answer.json())['token']}"}

    async def get(self, path: str, **query: str) -> Any:
        """The answer to a GET below the application."""
        url = f"{self.url}/api/v1/app/acme/{path}"
        async with self.http.get(url, params=query, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any) -> Any:
        """The answer to a POST below the application."""
        async with self.http.post(f"{self.url}/api/v1/app/acme/{path}", json=body, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def serving(database: Path, **settings: Any) -> AsyncIterator[Client]:
    """A client of an engine with the application ``acme``."""
    options = {"allow_subnets": ["127.0.0.0/8"], "retry_schedule": [], **settings}
    async with (
        Engine.open(database, **options) as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as http,
    ):
        await engine.applications.create(name="Acme", uid="acme")
        one = Client(engine, server.url, http)
        await one.sign_in()
        yield one


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A client as most tests use it."""
    async with serving(tmp_path / "engine.db") as one:
        yield one


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as one:
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


@pytest.mark.parametrize(
    ("sent", "encoding", "shown"),
    [
        (b'{"z": 1,\n "a": 12345678901234567890, "\\u00e9": "\xc3\xa9"}', "utf-8", None),
        (b"plain words, no JSON", "utf-8", None),
        (b"\xff\x00\xfe", "base64", "/wD+"),
    ],
)
async def test_a_payload_is_shown_to_the_byte(client: Client, sent: bytes, encoding: str, shown: str | None) -> None:
    message = await client.engine.messages.create("acme", event_type="n", payload=sent)
    answer = await client.get(f"msg/{message.id}/payload")
    assert answer == {"encoding": encoding, "payload": sent.decode() if shown is None else shown}


async def test_a_payload_that_is_gone_is_none(client: Client) -> None:
    message = await client.engine.messages.create("acme", event_type="n", payload={"n": 1})
    await client.engine.messages.expunge_content("acme", message.id)
    assert (await client.get(f"msg/{message.id}/payload"))["payload"] is None


async def test_an_attempt_says_in_what_way_it_failed_and_that_nothing_was_sent(client: Client) -> None:
    async with Receiver(500) as receiver, refusing() as refused_url:
        refused = await client.engine.endpoints.create("acme", url=refused_url)
        blocked = await client.engine.endpoints.create("acme", url="http://10.0.0.1/")
        broken = await client.engine.endpoints.create("acme", url=receiver.url)
        message = await client.engine.messages.create("acme", event_type="n", payload={})
        await client.engine.join(10)
    found = {each["endpointId"]: each for each in (await client.get(f"attempt/msg/{message.id}"))["data"]}
    assert "failure" not in found[blocked.id]
    listed = (await client.get(f"attempt/msg/{message.id}", with_failure="true"))["data"]
    assert {each["endpointId"]: each["failure"] for each in listed} == {
        blocked.id: "blocked",
        refused.id: "connect",
        broken.id: "status",
    }
    headers = {
        endpoint: (await client.get(f"msg/{message.id}/attempt/{each['id']}/headers"))["headers"]
        for endpoint, each in found.items()
    }
    assert headers[blocked.id] == headers[refused.id] == {}
    assert headers[broken.id]["webhook-id"] == message.id


async def test_what_is_due_says_what_it_waits_for(tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "engine.db", retry_schedule=["1h"]) as client,
        Receiver(lambda request: 500 if b"bad" in request.body else 200) as receiver,
    ):
        endpoints = client.engine.endpoints
        slow = await endpoints.create("acme", url=receiver.url, throttle_rate=1, event_types=None, channels=["slow"])
        await endpoints.create("acme", url=receiver.url, channels=["bad"])
        bad = await client.engine.messages.create("acme", event_type="n", payload={"bad": 1}, channels=["bad"])
        for number in range(20):
            last = await client.engine.messages.create("acme", event_type="n", payload={"n": number}, channels=["slow"])
        await receiver.wait_for(2)
        [waiting] = (await client.get(f"msg/{last.id}/endpoint"))["data"]
        assert (waiting["id"], waiting["waitingFor"], waiting["attemptCount"]) == (slow.id, "rate_limit", 0)

        async with asyncio.timeout(10):
            while not (retried := (await client.get(f"msg/{bad.id}/endpoint"))["data"][0])["attemptCount"]:
                await asyncio.sleep(0.02)
        assert retried["waitingFor"] == "time"


async def test_the_rules_of_delivery_are_told(tmp_path: Path) -> None:
    settings = {"timeout": "7s", "recover_max_age": "2d", "signature_headers": ["webhook"], "https_only": True}
    async with serving(tmp_path / "engine.db", **settings) as client:
        assert await client.get("delivery-rules") == {
            "timeoutMs": 7_000,
            "recoverMaxAgeMs": 2 * 86_400_000,
            "httpsOnly": True,
            "signatureHeaders": ["webhook"],
            "retrySchedule": [],
            "endpointMaxTimeoutMs": 30_000,
            "endpointMaxRetries": 20,
            "endpointMaxRetryTimeMs": 7 * 86_400_000,
        }


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://example.com/hook", None),
        ("http://10.1.2.3/hook", "private"),
        ("http://0x0a.1/", "private"),
        ("https://user:secret@192.168.1.1:8443/", "private"),
        ("http://[::ffff:10.0.0.1]/", "private"),
        ("http://169.254.169.254/latest", "private"),
        ("http://127.0.0.1:9/", None),
        ("http://localhost/", None),
        ("http://billing:8080/", None),
        ("ftp://example.com/", "invalid"),
        ("words", "invalid"),
    ],
)
async def test_a_url_is_judged_before_it_is_saved(client: Client, url: str, problem: str | None) -> None:
    await client.sign_in(read_only=False)
    assert await client.post("endpoint/precheck/url", {"url": url}) == {"problem": problem}


async def test_a_name_is_looked_up_where_that_is_asked_for(client: Client, names: Names) -> None:
    names.table = {
        "nowhere.example": socket.gaierror(socket.EAI_NONAME, "no such name"),
        "inside.example": ["10.0.0.1"],
    }
    await client.sign_in(read_only=False)
    for name, problem in (("nowhere", "unresolvable"), ("inside", "private")):
        asked = {"url": f"https://{name}.example/hook"}
        assert await client.post("endpoint/precheck/url", asked) == {"problem": None}
        assert await client.post("endpoint/precheck/url", {**asked, "lookUp": True}) == {"problem": problem}


async def test_both_secrets_are_told_while_one_takes_over(client: Client, receiver: Receiver) -> None:
    endpoint = await client.engine.endpoints.create("acme", url=receiver.url)
    before = await client.engine.endpoints.get_secret("acme", endpoint.id)
    after = await client.engine.endpoints.rotate_secret("acme", endpoint.id)
    told = await client.get(f"endpoint/{endpoint.id}/secret/all")
    assert (told["key"], [each["key"] for each in told["replaced"]]) == (after, [before])
    assert told["replaced"][0]["expiresAt"].endswith("Z")


async def test_an_edited_example_goes_to_one_endpoint_or_to_all(client: Client, receiver: Receiver) -> None:
    await client.sign_in(read_only=False)
    one = await client.engine.endpoints.create("acme", url=receiver.url)
    await client.engine.endpoints.create("acme", url=receiver.url)
    asked = {"eventType": "webhook.ping", "payload": {"mine": 1}}
    await client.post(f"endpoint/{one.id}/send-example", asked)
    await client.engine.join(5)
    assert receiver.bodies == [b'{"mine":1}'.replace(b":", b": ")]
    await client.post("send-example", asked)
    await client.engine.join(5)
    assert len(receiver.bodies) == 3
    await client.sign_in(read_only=True)
    url = f"{client.url}/api/v1/app/acme/send-example"
    async with client.http.post(url, json=asked, headers=client.headers) as answer:
        assert answer.status == 403


async def test_a_url_is_judged_by_the_configuration(tmp_path: Path) -> None:
    async with serving(tmp_path / "engine.db", allow_subnets=[], https_only=True) as client:
        await client.sign_in(read_only=False)
        for url, problem in (
            ("http://example.com/", "https_only"),
            ("https://localhost./", "private"),
            ("https://billing:8443/", "private"),
            ("https://printer.local/", "private"),
            ("https://example.com/", None),
        ):
            assert await client.post("endpoint/precheck/url", {"url": url}) == {"problem": problem}
        inbox = f"{client.url}/play/in/{'a' * 24}"
        assert await client.post("endpoint/precheck/url", {"url": inbox}) == {"problem": "https_only"}
    async with serving(tmp_path / "other.db", allow_subnets=[]) as client:
        await client.sign_in(read_only=False)
        inbox = f"{client.url}/play/in/{'a' * 24}"
        assert await client.post("endpoint/precheck/url", {"url": inbox}) == {"problem": None}


async def test_an_attempt_shows_the_whole_exchange(tmp_path: Path) -> None:
    answers = [Reply(500, headers={"X-Reason": "full"}), 200]
    async with serving(tmp_path / "engine.db", retry_schedule=["10ms", "1h"]) as client, Receiver(answers) as receiver:
        endpoint = await client.engine.endpoints.create("acme", url=receiver.url, headers={"Authorization": "hush"})
        message = await client.engine.messages.create("acme", event_type="n", payload={})
        first, _ = await receiver.wait_for(2)
        await client.engine.join(10)
        await client.engine.endpoints.rotate_secret("acme", endpoint.id, grace_period=timedelta(0))
        path = f"attempt/msg/{message.id}"
        attempts = (await client.get(path, with_number="true"))["data"]
        assert [(each["number"], each["numberOf"]) for each in attempts] == [(2, 3), (1, 3)]
        assert "number" not in (await client.get(path))["data"][0]
        shown = await client.get(f"msg/{message.id}/attempt/{attempts[1]['id']}/exchange")
        headers = {each["name"]: each["value"] for each in shown["requestHeaders"]}
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "svix-signature", "user-agent"):
            assert headers[name] == first.headers[name], name
        assert "hush" not in str(shown)
        assert shown["statusLine"].startswith("HTTP/1.1 500")
        assert {"name": "X-Reason", "value": "full"} in shown["responseHeaders"]
        assert (shown["number"], shown["numberOf"]) == (1, 3)
        timing = shown["timing"]
        assert timing["lookupMs"] >= 0
        assert timing["connectMs"] > 0
        assert timing["firstByteMs"] > 0
        assert timing["tlsMs"] is None


async def test_the_head_of_a_response_is_deleted_with_its_body(client: Client) -> None:
    async with Receiver(Reply(200, headers={"X-Private": "words"})) as receiver:
        await client.engine.endpoints.create("acme", url=receiver.url)
        message = await client.engine.messages.create("acme", event_type="n", payload={})
        await client.engine.join(10)
    [attempt] = (await client.engine.attempts.list_by_message("acme", message.id)).data
    await client.engine.attempts.expunge_content("acme", message.id, attempt.id)
    shown = await client.get(f"msg/{message.id}/attempt/{attempt.id}/exchange")
    assert (shown["statusLine"], shown["responseHeaders"], shown["number"]) == ("", [], 1)
