"""What requests are changed by before they are signed, from the call to the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from consumer_scripts import SCRIPT, needs_scripts
from engines import acme, attempts_of, destination, local_engine, send, send_many, until
from receivers import Receiver

from webhook_engine import Engine, OutgoingWebhook, Webhook
from webhook_engine.rules.user_info import MASK


@asynccontextmanager
async def changing(tmp_path: Path, url: str, **settings: Any) -> AsyncIterator[Engine]:
    """An engine with an endpoint that has a transformation of its own, ``own``; it is set by the test."""
    endpoint = settings.pop("endpoint", {})
    function = settings.pop("function")
    engine = local_engine(tmp_path / "e.db", retry_schedule=[], **settings)
    engine.transformation("own")(function)
    async with engine:
        await acme(engine, url, uid="ep", transformation="own", **endpoint)
        yield engine


async def test_what_it_makes_is_signed_sent_and_shown(tmp_path: Path) -> None:
    seen: list[OutgoingWebhook] = []

    async def own(webhook: OutgoingWebhook) -> None:
        seen.append(webhook)
        webhook.payload["more"] = webhook.event_type
        webhook.headers["X-More"] = "1"
        webhook.url += "/more"
        webhook.method = "PUT"

    async with Receiver() as receiver, changing(tmp_path, receiver.url, function=own) as engine:
        message = await send(engine)
        await engine.join(timeout=5)
        [request] = receiver.requests
        assert (request.method, request.path, request.body) == ("PUT", "/hook/more", b'{"n":1,"more":"invoice.paid"}')
        assert request.headers["x-more"] == "1"
        Webhook(await engine.endpoints.get_secret("acme", "ep")).verify(request.body, request.headers)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.url, attempt.request_headers["X-More"]) == (f"{receiver.url}/more", "1")
        assert attempt.exchange is not None
        assert (attempt.exchange.sent_method, attempt.exchange.sent_body) == ("PUT", request.body.decode())
        assert (await engine.messages.get("acme", message)).payload == b'{"n":1}'
        [webhook] = seen
        assert (webhook.message_id, webhook.application_uid) == (message, "acme")


async def test_it_may_cancel_a_delivery(tmp_path: Path) -> None:
    def own(webhook: OutgoingWebhook) -> None:
        webhook.cancel = True

    async with Receiver() as receiver, changing(tmp_path, receiver.url, function=own) as engine:
        message = await send(engine)
        await engine.join(timeout=5)
        end = await destination(engine, message)
        assert (end.status_text, end.reason) == ("canceled", "cancelled by the transformation")
        assert (receiver.requests, await attempts_of(engine, message)) == ([], [])


def raising(webhook: OutgoingWebhook) -> None:
    raise KeyError("customer")


async def waiting(webhook: OutgoingWebhook) -> None:
    await asyncio.Event().wait()


def signing(webhook: OutgoingWebhook) -> None:
    webhook.headers["webhook-signature"] = "v1,x"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "the transformation 'own' failed: KeyError: 'customer'"),
        (waiting, "the transformation 'own' took longer than 0.05 s"),
        (signing, "the transformation made what cannot be sent: "),
    ],
)
async def test_one_that_fails_is_a_failed_attempt_with_its_error(tmp_path: Path, function: Any, words: str) -> None:
    # The others have time, on a busy machine too.
    settings = {"function": function, "transformations__timeout": "50ms" if function is waiting else "10s"}
    async with Receiver() as receiver, changing(tmp_path, receiver.url, **settings) as engine:
        await acme(engine, receiver.url, uid="good")
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = [one for one in await attempts_of(engine, message) if one.response_status_code == 0]
        assert (attempt.failure, attempt.request_headers) == ("transformation", {})
        assert attempt.response.startswith(words)
        assert len(receiver.requests) == 1


async def test_what_it_is_sent_to_is_guarded_as_any_other(tmp_path: Path) -> None:
    def own(webhook: OutgoingWebhook) -> None:
        webhook.url = "http://10.0.0.1/"

    async with Receiver() as receiver, changing(tmp_path, receiver.url, function=own) as engine:
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.failure, attempt.url) == ("blocked", "http://10.0.0.1/")


@pytest.mark.parametrize("away", [True, False])
async def test_credentials_go_nowhere_else(tmp_path: Path, away: bool) -> None:
    async with Receiver() as home, Receiver() as elsewhere:

        def own(webhook: OutgoingWebhook) -> None:
            if away:
                webhook.url = elsewhere.url

        authentication = {"type": "bearer", "token": "s3cret"}
        endpoint = {"authentication": authentication, "headers": {"X-Api-Key": "s3cret", "X-Plain": "1"}}
        async with changing(tmp_path, home.url, function=own, endpoint=endpoint) as engine:
            message = await send(engine)
            await engine.join(timeout=5)
            [request] = (elsewhere if away else home).requests
            assert request.headers["x-plain"] == "1"
            assert ("authorization" in request.headers, "x-api-key" in request.headers) == (not away, not away)
            [attempt] = await attempts_of(engine, message)
            assert attempt.request_headers.get("authorization") == (None if away else MASK)


@needs_scripts
async def test_a_script_of_the_consumer_changes_what_is_sent(tmp_path: Path) -> None:
    settings = {"transformations__scripts": True, "retry_schedule": []}
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **settings) as engine:
        endpoint = await acme(engine, receiver.url)
        assert (await engine.endpoints.get_transformation("acme", endpoint.id)).code is None
        await engine.endpoints.patch_transformation("acme", endpoint.id, code=SCRIPT, variables={"who": "us"})
        await send(engine)
        await engine.join(timeout=10)
        kept = await engine.endpoints.patch_transformation("acme", endpoint.id, enabled=True)
        assert (kept.code, kept.variables) == (SCRIPT, {"who": "us"})
        assert kept == await engine.endpoints.get_transformation("acme", endpoint.id)
        await send(engine)
        await engine.join(timeout=10)
        assert receiver.bodies == [b'{"n":1}', b'{"said":"invoice.paid","n":1,"by":"us"}']
        assert receiver.requests[1].headers["x-said"] == "1"
        await engine.endpoints.patch_transformation("acme", endpoint.id, code="function handler() { throw 'no' }")
        message = await send(engine)
        await engine.join(timeout=10)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.failure, attempt.response.startswith("the script failed: no")) == ("transformation", True)
        gone = await engine.endpoints.patch_transformation("acme", endpoint.id, code=None)
        assert (gone.code, gone.enabled) == (None, False)
        await send(engine)
        await engine.join(timeout=10)
        assert receiver.bodies[-1] == b'{"n":1}'
    assert b"webhook.variables.who" not in b"".join(path.read_bytes() for path in tmp_path.glob("e.db*"))


@needs_scripts
async def test_a_script_that_loops_holds_no_other_endpoint_up(tmp_path: Path) -> None:
    settings = {"transformations__scripts": True, "transformations__script_timeout": "100ms", "shutdown_grace": "0s"}
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **settings) as engine:
        bad = await acme(engine, receiver.url, uid="bad")
        await engine.endpoints.patch_transformation(
            "acme", bad.id, code="function handler() { while (true); }", enabled=True
        )
        await acme(engine, receiver.url, uid="good")
        await send_many(engine, 100)
        await until(lambda: len(receiver.requests) == 100)
        hostile = (await engine.attempts.list_by_endpoint("acme", "bad")).data
        assert len(hostile) < 100, "those of the good one came first"


async def test_several_messages_in_one_request_are_changed_together(tmp_path: Path) -> None:
    seen: list[Any] = []

    def own(webhook: OutgoingWebhook) -> None:
        seen.append(webhook.payload)
        webhook.payload = {"count": len(webhook.payload)}

    endpoint = {"ordering": "fifo", "batch_size": 10, "batch_wait": "1s"}
    async with Receiver() as receiver, changing(tmp_path, receiver.url, function=own, endpoint=endpoint) as engine:
        await send_many(engine, 10)
        await until(lambda: sum(len(one) for one in seen) == 10)
        await until(lambda: len(receiver.requests) == len(seen))
        assert receiver.requests[0].payload == {"count": len(seen[0])}
        message = seen[0][0]["id"]

        async def attempted() -> Any:
            return await attempts_of(engine, message)

        [attempt] = await until(attempted)
        assert attempt.exchange is not None
        assert (attempt.exchange.sent_method, attempt.exchange.sent_body) == ("POST", None)


@needs_scripts
@pytest.mark.parametrize(
    ("code", "payload", "body", "words"),
    [
        # What a script leaves as it was is sent as it was written, whatever JavaScript makes of its numbers.
        ("return webhook", b'{ "n": 12345678901234567890, "x": 1.0 }', b'{ "n": 12345678901234567890, "x": 1.0 }', ""),
        ("webhook.payload.y = 2; return webhook", b'{ "x": 1.0 }', b'{"x":1,"y":2}', ""),
        ("webhook.payload = 'text'; return webhook", b"{}", b"text", ""),
        ("return webhook", b"no JSON", None, "JSON only"),
        ("return webhook", b'1}, "url": "http://127.0.0.1:9/', None, "JSON only"),
        ("return webhook", b'{"a": "\xff"}', None, "JSON only"),
        ("webhook.payload = 7; return webhook", b"{}", None, "payload"),
        ("delete webhook.payload; return webhook", b"{}", None, "payload"),
        ("webhook.method = ['PUT']; return webhook", b"{}", None, "method"),
        ("webhook.url = 5; return webhook", b"{}", None, "url"),
        ("webhook.headers = 'x: y'; return webhook", b"{}", None, "headers"),
        ("webhook.headers = {a: 1}; return webhook", b"{}", None, "headers"),
        ("webhook.headers = {'webhook-id': 'x'}; return webhook", b"{}", None, "headers"),
        ("webhook.headers = {'a\\r\\nb': 'x'}; return webhook", b"{}", None, "headers"),
        ("webhook.cancel = 'yes'; return webhook", b"{}", b"{}", ""),
        ("return [webhook]", b"{}", None, "no webhook"),
        ("return null", b"{}", None, "must return the webhook"),
    ],
)
async def test_whatever_a_script_returns_is_sent_or_is_a_failed_attempt(
    tmp_path: Path, code: str, payload: bytes, body: bytes | None, words: str
) -> None:
    async with (
        Receiver() as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[], transformations__scripts=True) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        await engine.endpoints.patch_transformation(
            "acme", endpoint.id, code=f"function handler(webhook) {{ {code} }}", enabled=True
        )
        message = await engine.messages.create("acme", event_type="a.b", payload=payload)
        await engine.join(timeout=30)
        [attempt] = await attempts_of(engine, message.id)
        assert [one.body for one in receiver.requests] == ([] if body is None else [body])
        assert words in attempt.response
