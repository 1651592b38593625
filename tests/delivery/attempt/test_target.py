"""Edits apply from the next attempt; limits of rate and number are kept."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import BasicAuth
from engines import DAY, Answers, acme, local_engine, pass_time, send, send_many, until
from receivers import Receiver, Request
from stores import about_the_file, query
from svix.webhooks import Webhook, WebhookVerificationError

from webhook_engine import Engine, ManualClock
from webhook_engine.errors import ValidationError
from webhook_engine.model import DeliveryStatus

START = datetime(2026, 1, 1, tzinfo=UTC)
RATE = 50


class Crowd:
    """Answers slowly, and counts how many requests are there at once."""

    def __init__(self, seconds: float, status: int = 200) -> None:
        self.seconds, self.status = seconds, status
        self.now = self.most = 0

    async def __call__(self, _request: Request) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return self.status


async def test_a_new_url_gets_the_next_attempt(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as old, Receiver() as new, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, old.url)
        await send(engine)
        await engine.join(timeout=5)
        await engine.endpoints.update("acme", endpoint.id, url=new.url)
        await pass_time(engine, clock, 5)
        assert (len(old.requests), len(new.requests)) == (1, 1)


async def test_new_headers_go_with_the_next_attempt(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, headers={"x-one": "1", "authorization": "Bearer old"})
        await send(engine)
        await engine.join(timeout=5)
        await engine.endpoints.patch_headers("acme", endpoint.id, {"x-one": None, "authorization": "Bearer new"})
        await pass_time(engine, clock, 5)
        first, second = (request.headers for request in receiver.requests)
        assert (first["x-one"], first["authorization"]) == ("1", "Bearer old")
        assert ("x-one" in second, second["authorization"]) == (False, "Bearer new")


async def test_a_password_in_the_url_is_sent_and_seen_nowhere(tmp_path: Path) -> None:
    path, clock = tmp_path / "e.db", ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(path, clock) as engine:
        endpoint = await acme(engine, receiver.url.replace("//", "//shop:s3cr%20t@"))
        assert endpoint.url == receiver.url.replace("//", "//shop:*****@")
        message_id = await send(engine)
        await engine.join(timeout=5)
        # What a client has read it writes back, with another path.
        changed = await engine.endpoints.update("acme", endpoint.id, url=f"{endpoint.url}/new", description="x")
        assert changed.url == f"{endpoint.url}/new"
        await pass_time(engine, clock, 5)
        attempts = (await engine.attempts.list_by_message("acme", message_id)).data
        assert {attempt.url for attempt in attempts} == {endpoint.url, changed.url}
        elsewhere = changed.url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(ValidationError, match="must have the password itself"):
            await engine.endpoints.update("acme", endpoint.id, url=elsewhere)
        await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        await pass_time(engine, clock, 5 * 60)
        first, second, third = (request.headers.get("authorization", "") for request in receiver.requests)
        assert BasicAuth.decode(first) == BasicAuth.decode(second) == ("shop", "s3cr t", "latin1")
        assert not third
    for file in tmp_path.iterdir():
        assert b"s3cr" not in file.read_bytes()


@about_the_file
async def test_a_password_that_is_stored_in_clear_is_encrypted_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    async with Receiver() as receiver:
        clear = receiver.url.replace("//", "//shop:secret@")
        async with local_engine(path) as engine:
            endpoint = await acme(engine, clear)
            await acme(engine, f"{receiver.url}/a@b")
            await send(engine)
            await engine.join(timeout=5)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(
                "UPDATE webhook_endpoint SET url = ?, encrypted_user_info = NULL WHERE id = ?", (clear, endpoint.id)
            )
            db.execute("UPDATE webhook_attempt SET url = ? WHERE endpoint_id = ?", (clear, endpoint.id))
        for _ in range(2):
            async with local_engine(path) as engine:
                assert (await engine.endpoints.get("acme", endpoint.id)).url == endpoint.url
                attempts = (await engine.attempts.list_by_endpoint("acme", endpoint.id)).data
                assert {attempt.url for attempt in attempts} == {endpoint.url}
                await send(engine)
                await engine.join(timeout=5)
        sent = [one.headers.get("authorization") for one in receiver.requests if not one.path.endswith("/a@b")]
        assert len(sent) == 3
        assert len(set(sent)) == 1
    assert query(path, "SELECT count(*) FROM webhook_endpoint WHERE url LIKE '%secret%'") == [(0,)]


async def test_new_filters_hold_for_the_next_message(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await engine.event_types.create(name="a.b")
        endpoint = await acme(engine, receiver.url)
        await send(engine)
        await engine.endpoints.update("acme", endpoint.id, event_types=["a.b"])
        await send(engine)
        wanted = await send(engine, event_type="a.b")
        await engine.endpoints.update("acme", endpoint.id, event_types=None, channels=["red"])
        await send(engine)
        red = await engine.messages.create("acme", event_type="x", payload={}, channels=["red", "blue"])
        await engine.join(timeout=5)
        assert [one.headers["webhook-id"] for one in receiver.requests][1:] == [wanted, red.id]


async def test_a_secret_that_returned_stops_signing_when_it_is_replaced_without_grace(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        first = await engine.endpoints.get_secret("acme", endpoint.id)
        second = await engine.endpoints.rotate_secret("acme", endpoint.id)
        assert await engine.endpoints.rotate_secret("acme", endpoint.id, first) == first
        third = await engine.endpoints.rotate_secret("acme", endpoint.id, grace_period=timedelta(0))
        await send(engine)
        await engine.join(timeout=5)
        [request] = receiver.requests
        for secret in (third, second):
            Webhook(secret).verify(request.body, dict(request.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(first).verify(request.body, dict(request.headers))


async def test_after_a_rotation_both_keys_sign_for_a_day_and_then_the_new_one_alone(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        clock = ManualClock()
        async with local_engine(tmp_path / "e.db", clock) as engine:
            endpoint = await acme(engine, receiver.url)
            old = await engine.endpoints.get_secret("acme", endpoint.id)
            new = await engine.endpoints.rotate_secret("acme", endpoint.id)
            assert new != old
            assert await engine.endpoints.get_secret("acme", endpoint.id) == new
            await send(engine)
            await engine.join(timeout=5)
            [request] = receiver.requests
            for secret in (old, new):
                Webhook(secret).verify(request.body, dict(request.headers))
            signatures = request.headers["webhook-signature"].split(" ")
            assert len(signatures) == 2
            assert (
                Webhook(new).sign(
                    request.headers["webhook-id"],
                    datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC),
                    request.body.decode(),
                )
                == signatures[0]
            )
            clock.advance(DAY - timedelta(seconds=1))
            await send(engine)
            await engine.join(timeout=5)
            clock.advance(timedelta(seconds=1))
            await send(engine)
            await engine.join(timeout=5)
            counts = [len(request.headers["webhook-signature"].split(" ")) for request in receiver.requests]
            assert counts == [2, 2, 1]


async def test_an_edit_applies_to_what_is_queued_already(tmp_path: Path) -> None:
    crowd = Crowd(0.05)
    async with (
        Receiver(crowd) as old,
        Receiver() as new,
        local_engine(tmp_path / "e.db", max_in_flight_per_endpoint=1) as engine,
    ):
        endpoint = await acme(engine, old.url)
        await send_many(engine, 50)
        await old.wait_for(2, timeout=5)
        await engine.endpoints.update("acme", endpoint.id, url=new.url)
        sent = len(old.requests)
        await engine.join(timeout=10)
        assert len(old.requests) <= sent + 1
        assert len(old.requests) + len(new.requests) == 50


async def give_a_url(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.update("acme", endpoint, url="http://127.0.0.1:1/")


async def rotate(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.rotate_secret("acme", endpoint)


async def limit(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.update("acme", endpoint, throttle_rate=1)


async def disable(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.disable("acme", endpoint)


async def disable_and_enable(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.disable("acme", endpoint)
    await engine.endpoints.enable("acme", endpoint)


async def delete(engine: Engine, endpoint: str) -> None:
    await engine.endpoints.delete("acme", endpoint)


async def delete_application(engine: Engine, _endpoint: str) -> None:
    await engine.applications.delete("acme")


@pytest.mark.parametrize("answer", [200, 500])
@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (give_a_url, (DeliveryStatus.PENDING, None)),
        (rotate, (DeliveryStatus.PENDING, None)),
        (limit, (DeliveryStatus.PENDING, None)),
        (disable, (DeliveryStatus.FAILED, "endpoint disabled")),
        (disable_and_enable, (DeliveryStatus.FAILED, "endpoint disabled")),
        (delete, (DeliveryStatus.CANCELLED, "endpoint deleted")),
        (delete_application, (DeliveryStatus.CANCELLED, "endpoint deleted")),
    ],
)
async def test_whatever_happens_to_an_endpoint_meanwhile_a_request_in_flight_is_recorded_once(
    tmp_path: Path,
    change: Callable[[Engine, str], Awaitable[None]],
    failed: tuple[DeliveryStatus, str | None],
    answer: int,
) -> None:
    database, go = tmp_path / "e.db", asyncio.Event()

    async def wait(_request: object) -> int:
        await go.wait()
        return answer

    async with Receiver(wait) as receiver, local_engine(database, retry_schedule=["1h"]) as engine:
        endpoint = await acme(engine, receiver.url)
        await send(engine)
        await receiver.wait_for(1)
        await change(engine, endpoint.id)
        go.set()
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1
        expected = (DeliveryStatus.SUCCEEDED, None) if answer == 200 else failed
        [(status, reason, due_at, count)] = query(
            database, "SELECT status, reason, due_at, attempt_count FROM webhook_delivery"
        )
        assert (DeliveryStatus(status), reason, count) == (*expected, 1)
        assert (due_at is not None) is (expected[0] is DeliveryStatus.PENDING)
        assert query(database, "SELECT url, status_code FROM webhook_attempt") == [(receiver.url, answer)]


@pytest.mark.parametrize("of", ["endpoint", "application"])
async def test_the_rate_limit_is_kept(tmp_path: Path, of: str) -> None:
    answers = Answers()
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db") as engine:
        rate = {"throttle_rate": RATE}
        await engine.applications.create(name="Acme", uid="acme", **(rate if of == "application" else {}))
        await acme(engine, receiver.url + "a", **(rate if of == "endpoint" else {}))
        if of == "application":
            await acme(engine, receiver.url + "b")
        begun = time.perf_counter()
        await send_many(engine, RATE // 2 if of == "application" else RATE)
        await receiver.wait_for(RATE, timeout=30)
        seconds = time.perf_counter() - begun
        moments = answers.moments
        busiest = max(sum(1 for other in moments if 0 <= other - one < 0.5) for one in moments)
        assert seconds >= 0.9, f"{RATE} messages at {RATE}/s took {seconds:.2f} s"
        assert busiest <= RATE / 2 + 5, f"{busiest} messages in half a second at {RATE}/s"


async def test_a_new_rate_limit_applies_from_the_next_attempt(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, throttle_rate=1)
        await send_many(engine, 100)
        await receiver.wait_for(1, timeout=5)
        await engine.endpoints.update("acme", endpoint.id, throttle_rate=None)
        await receiver.wait_for(100, timeout=5)


async def test_a_rate_limit_holds_nobody_else_up(tmp_path: Path) -> None:
    async with Receiver() as slow, Receiver() as fast, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, slow.url, throttle_rate=1)
        await acme(engine, fast.url)
        await send_many(engine, 300)
        await fast.wait_for(300, timeout=5)
        assert len(slow.requests) <= 10


async def test_never_more_requests_at_once_than_allowed_in_all_and_for_one_endpoint(tmp_path: Path) -> None:
    crowds = [Crowd(0.01) for _ in range(4)]
    receivers = [Receiver(crowd) for crowd in crowds]
    in_all = 0
    async with contextlib.AsyncExitStack() as open_things:
        for receiver in receivers:
            await open_things.enter_async_context(receiver)
        async with local_engine(tmp_path / "e.db", max_in_flight=12, max_in_flight_per_endpoint=5) as engine:
            for receiver in receivers:
                await acme(engine, receiver.url)
            sending = asyncio.create_task(send_many(engine, 200))
            while len(receivers[0].requests) < 200:
                in_all = max(in_all, sum(crowd.now for crowd in crowds))
                await asyncio.sleep(0.001)
            await sending
            await engine.join(timeout=10)
    assert in_all <= 12
    assert max(crowd.most for crowd in crowds) <= 5
    assert sum(len(receiver.requests) for receiver in receivers) == 800


async def test_an_application_whose_limit_is_lifted_goes_on_at_once(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await engine.applications.create(name="Acme", uid="acme", throttle_rate=1)
        await acme(engine, receiver.url)
        await send_many(engine, 60)
        await receiver.wait_for(1, timeout=5)
        await engine.applications.update("acme", throttle_rate=None)
        await until(lambda: len(receiver.requests) == 60, timeout=5)
