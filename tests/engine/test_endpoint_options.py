"""An endpoint's own timeout and retries, which apply from the next attempt."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import Answers, acme, local_engine, pass_time, send, until
from receivers import Receiver, Request, hanging

from webhook_engine import ManualClock, Webhook
from webhook_engine.errors import ValidationError
from webhook_engine.model import AttemptStatus

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_it_gets_the_time_that_it_asks_for_and_others_what_is_configured(tmp_path: Path) -> None:
    enough = asyncio.Event()

    async def slow(_request: Request) -> int:
        await enough.wait()
        return 200

    async with Receiver(slow) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        await acme(engine, receiver.url, uid="usual")
        await acme(engine, receiver.url, uid="short", timeout="50ms")
        await send(engine)

        async def timed_out() -> bool:
            return bool((await engine.attempts.list_by_endpoint("acme", "short")).data)

        await until(timed_out)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "short")).data
        assert (attempt.status, attempt.failure, attempt.response) == (
            AttemptStatus.FAIL,
            "timeout",
            "request timed out: no response within 0.05 s",
        )
        assert not (await engine.attempts.list_by_endpoint("acme", "usual")).data
        enough.set()
        await engine.join(timeout=5)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "usual")).data
        assert attempt.status is AttemptStatus.SUCCESS


async def test_it_is_tried_again_when_it_asks_for(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, retry_schedule=[timedelta(hours=1), "2h"])
        message = await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, 3_599)
        assert len(receiver.requests) == 1
        await pass_time(engine, clock, 1)
        assert len(receiver.requests) == 2
        # What is edited meanwhile counts for the next attempt.
        await engine.endpoints.update("acme", endpoint.id, retry_schedule=["1h"])
        await pass_time(engine, clock, 7_200)
        assert len(receiver.requests) == 3
        [destination] = (await engine.attempts.list_attempted_destinations("acme", message)).data
        assert (destination.status, destination.reason) == (AttemptStatus.FAIL, "retries exhausted")


async def test_without_retries_it_is_tried_once(tmp_path: Path) -> None:
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, retry_schedule=[])
        message = await send(engine)
        await engine.join(timeout=5)
        [destination] = (await engine.attempts.list_attempted_destinations("acme", message)).data
        assert (destination.status, destination.reason) == (AttemptStatus.FAIL, "retries exhausted")
        assert len(receiver.requests) == 1


async def test_the_bounds_are_the_operators_and_hold_as_they_are_today(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db", endpoint_max_timeout="1m") as engine:
        await acme(engine, "http://127.0.0.1:1/", timeout="1m", uid="e")
        with pytest.raises(ValidationError, match='from "1ms" to "1m"'):
            await engine.endpoints.update("acme", "e", timeout="61s")
    async with (
        hanging() as receiver,
        local_engine(tmp_path / "e.db", timeout="20ms", endpoint_max_timeout="10ms", retry_schedule=[]) as engine,
    ):
        await engine.endpoints.update("acme", "e", url=receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        [attempt] = (await engine.attempts.list_by_endpoint("acme", "e")).data
        assert attempt.response == "request timed out: no response within 0.02 s"


async def test_only_what_passes_its_filter_is_sent_and_a_replay_keeps_to_it(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, filter={"n": {"$gt": 2}})
        for number in range(5):
            await send(engine, number)
        await engine.join(timeout=5)
        assert receiver.bodies == [b'{"n":3}', b'{"n":4}']
        # An edit counts from the next message on, and for what was missed.
        await engine.endpoints.update("acme", endpoint.id, filter={"n": {"$in": [1, 2, 7]}})
        await send(engine, 7)
        await engine.join(timeout=5)
        clock.advance(timedelta(minutes=1))
        await engine.endpoints.replay_missing("acme", endpoint.id, START - timedelta(hours=1))
        await engine.join(timeout=5)
        assert sorted(receiver.bodies) == [b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":4}', b'{"n":7}']


async def test_a_filter_of_the_worst_kind_leaves_others_their_turn(tmp_path: Path) -> None:
    """While its messages are filtered, the event loop is never held for long at once."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, filter={"l": {"$or": [{f"m{n}": n} for n in range(30)]}})
        longest = 0.0
        done = asyncio.Event()

        async def neighbour() -> None:
            nonlocal longest
            while not done.is_set():
                began = time.thread_time()
                await asyncio.sleep(0)
                longest = max(longest, time.thread_time() - began)

        watching = asyncio.create_task(neighbour())
        payload = b'{"l": [' + b", ".join([b"{}"] * 50_000) + b"]}"
        await asyncio.gather(
            *(engine.messages.create("acme", event_type="invoice.paid", payload=payload) for _ in range(20))
        )
        done.set()
        await watching
        assert longest < 1.0  # all of it together takes several times as long


async def test_the_request_is_as_it_asks_for(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(
            engine,
            f"{receiver.url}?in=url",
            method="PUT",
            query={"source": "a b&c", "in": "both"},
            user_agent="Shop/2",
            content_type="application/cloudevents+json",
        )
        await send(engine)
        await engine.messages.create("acme", event_type="a", payload=b"<a/>", content_type="text/xml")
        await engine.join(timeout=5)
        first, second = receiver.requests
        assert (first.method, first.headers["user-agent"]) == ("PUT", "Shop/2")
        assert first.raw.startswith(b"PUT /hook?in=url&source=a+b%26c&in=both HTTP/1.1\r\n")
        types = {request.body: request.headers["content-type"] for request in (first, second)}
        assert types == {b'{"n":1}': "application/cloudevents+json", b"<a/>": "text/xml"}
        shown = {
            one.request_headers["content-type"]
            for one in (await engine.attempts.list_by_endpoint("acme", endpoint.id)).data
        }
        assert shown == set(types.values())
        await engine.endpoints.update("acme", endpoint.id, method="PATCH", query=None, user_agent=None)
        await send(engine, 2)
        await engine.join(timeout=5)
        last = receiver.requests[-1]
        assert last.raw.startswith(b"PATCH /hook?in=url HTTP/1.1\r\n")
        assert last.headers["user-agent"].startswith("Webhook-Engine/")


async def test_what_is_compressed_is_signed_as_it_is_sent(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", max_payload="2MB") as engine:
        endpoint = await acme(engine, receiver.url, compression="gzip", secret=SECRET)
        large = b'{"text": "' + b"payload " * 249_000 + b'"}'
        small = b'{"n":1}'
        for payload in (large, large[:9_000], small):
            await engine.messages.create("acme", event_type="a", payload=payload)
        await engine.join(timeout=10)
        assert sorted(
            (len(body), request.headers.get("content-encoding"))
            for request in receiver.requests
            for body in [gzip.decompress(request.body) if "content-encoding" in request.headers else request.body]
        ) == [(len(small), None), (9_000, "gzip"), (len(large), "gzip")]
        for request in receiver.requests:
            Webhook(SECRET).check(request.body, request.headers)
        assert max(len(request.body) for request in receiver.requests) < 20_000
        attempts = (await engine.attempts.list_by_endpoint("acme", endpoint.id)).data
        assert sorted(one.request_headers.get("content-encoding", "") for one in attempts) == ["", "gzip", "gzip"]
        # What does not get smaller goes as it is.
        await engine.messages.create("acme", event_type="a", payload=os.urandom(2_000))
        await engine.join(timeout=5)
        assert "content-encoding" not in receiver.requests[-1].headers
        with pytest.raises(ValidationError, match="must be at most 2000000 bytes"):
            await engine.messages.create("acme", event_type="a", payload=b"x" * 2_000_001)


async def test_what_a_message_was_not_sent_to_and_why_can_be_seen(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await engine.event_types.create(name="user.created")
        await acme(engine, receiver.url, uid="reached")
        await acme(engine, receiver.url, uid="small", filter={"n": {"$lt": 5}, "m": 1})
        await acme(engine, receiver.url, uid="users", event_types=["user.*"])
        await acme(engine, receiver.url, uid="loud", channels=["loud"])
        await acme(engine, receiver.url, uid="off", disabled=True)
        await acme(engine, receiver.url, uid="new", filter={"n": 1})
        clock.advance(timedelta(seconds=1))
        message = await send(engine, 5)
        await engine.join(timeout=5)
        clock.advance(timedelta(seconds=1))
        await acme(engine, receiver.url, uid="late")
        await engine.endpoints.update("acme", "new", filter=None)
        await engine.endpoints.update("acme", "loud", description="d")
        found = await engine.attempts.list_unsent_destinations("acme", message)
        assert {one.endpoint.uid: (one.obstacle, one.condition, one.edited_since) for one in found} == {
            "small": ("filter", {"n": {"$lt": 5}}, False),
            "users": ("eventType", None, False),
            "loud": ("channels", None, True),
            "off": ("disabled", None, False),
            "new": ("edited", None, True),
            "late": ("later", None, True),
        }
        await engine.messages.expunge_content("acme", message)
        [small, *_] = await engine.attempts.list_unsent_destinations("acme", message)
        assert (small.obstacle, small.condition) == ("filter", None)


async def test_an_event_type_may_have_a_timeout_and_retries_of_its_own(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(
            engine,
            receiver.url,
            retry_schedule=["1h"],
            retry_schedule_by_event_type={"invoice.*": [], "invoice.paid": ["1m"]},
        )
        sent = {name: await send(engine, event_type=name) for name in ("user.created", "invoice.void", "invoice.paid")}

        async def made() -> dict[str, int]:
            return {
                name: len((await engine.attempts.list_by_message("acme", message)).data)
                for name, message in sent.items()
            }

        await engine.join(timeout=5)
        await pass_time(engine, clock, 60)
        assert await made() == {"user.created": 1, "invoice.void": 1, "invoice.paid": 2}
        await pass_time(engine, clock, 3_540)
        assert await made() == {"user.created": 2, "invoice.void": 1, "invoice.paid": 2}
    async with (
        hanging() as receiver,
        local_engine(tmp_path / "f.db", timeout="80ms", retry_schedule=[]) as engine,
    ):
        endpoint = await acme(engine, receiver.url, timeout_by_event_type={"invoice.*": "20ms"})
        for name in ("user.created", "invoice.paid"):
            await send(engine, event_type=name)
        await engine.join(timeout=5)
        attempts = (await engine.attempts.list_by_endpoint("acme", endpoint.id)).data
        assert {one.response.rpartition(" within ")[2] for one in attempts} == {"0.02 s", "0.08 s"}
