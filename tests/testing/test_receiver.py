"""The receiver of the testing kit: in an event loop and in a thread, verifying, failing and hanging as told."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from webhook_engine import ManualClock, Webhook
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.testing import Receiver, assert_delivered, temporary_engine, temporary_sync_engine, travel

SECRET = SigningKey.generate().secret


def post(url: str, body: bytes = b"{}", headers: dict[str, str] | None = None, timeout: float = 5) -> int:
    request = urllib.request.Request(url, body, headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def signed(body: bytes = b"{}", at: datetime | None = None) -> dict[str, str]:
    when = at or datetime.now(UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", when, body),
    }


def test_in_a_thread_it_needs_no_event_loop() -> None:
    with Receiver() as receiver:
        assert post(receiver.url, b'{"id":1}', {"webhook-id": "msg_1"}) == 200
        [request] = receiver.wait(1)
        assert (request.payload, request.message_id, request.path) == ({"id": 1}, "msg_1", "/hook")
        with pytest.raises(AssertionError, match="1 of 2 requests came"):
            receiver.wait(2, timeout=0.01)


def test_it_fails_as_often_as_it_is_told_and_answers_as_it_is_told() -> None:
    with Receiver() as receiver:
        receiver.answer(status=204, body="")
        receiver.fail(2, status=503)
        assert [post(receiver.url) for _ in range(3)] == [503, 503, 204]
        receiver.answer([500, 201])
        assert [post(receiver.url) for _ in range(3)] == [500, 201, 201]
        receiver.hang()
        with pytest.raises(TimeoutError):
            post(receiver.url, timeout=0.05)
        assert post(receiver.url) == 201


def test_it_verifies_by_itself() -> None:
    with Receiver(secrets=[SECRET]) as receiver:
        assert post(receiver.url, headers=signed()) == 200
        receiver.assert_verified()
        assert post(receiver.url, b'{"altered":1}', signed()) == 400
        assert [request.problem is None for request in receiver.requests] == [True, False]
        with pytest.raises(AssertionError, match="no signature fits"):
            receiver.assert_verified()


def test_it_verifies_by_the_clock_of_the_engine() -> None:
    clock = ManualClock(datetime(2020, 1, 1, tzinfo=UTC))
    with Receiver(secrets=[SECRET], clock=clock) as receiver:
        assert post(receiver.url, headers=signed(at=datetime(2020, 1, 1, tzinfo=UTC))) == 200
        assert post(receiver.url, headers=signed()) == 400


def test_with_an_engine_without_an_event_loop() -> None:
    with Receiver() as receiver, temporary_sync_engine(retry_schedule=["1ms"]) as engine:
        receiver.fail()
        engine.applications.create(name="Acme", uid="acme")
        endpoint = engine.endpoints.create("acme", url=receiver.url)
        receiver.secrets = [engine.endpoints.get_secret("acme", endpoint.id)]
        message = engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
        receiver.wait(2)
        assert assert_delivered(engine, "acme", payload={"id": 1}).message.id == message.id
        receiver.assert_verified()
        with pytest.raises(AssertionError, match="found 1; there is:"):
            assert_delivered(engine, "acme", times=2)


async def test_several_engines_of_one_test_do_not_share_anything() -> None:
    clock = ManualClock()
    async with Receiver(clock=clock) as receiver:
        for _ in range(3):
            async with temporary_engine(clock=clock) as engine:
                assert (await engine.applications.list()).data == []
                await engine.applications.create(name="Acme", uid="acme")
                await engine.endpoints.create("acme", url=receiver.url)
                receiver.verify_for(engine)
                receiver.fail()
                await engine.messages.create("acme", event_type="a.b", payload={})
                await travel(engine, clock, seconds=5)
                await assert_delivered(engine, event_type="a.b")
        assert len(receiver.requests) == 6
        receiver.assert_verified()
        assert await asyncio.gather(receiver.wait_for(6), receiver.wait_for(1))
