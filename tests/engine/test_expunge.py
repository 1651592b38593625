"""A payload that was deleted is not sent any more, wherever its delivery stood."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from engines import acme, attempts_of, destination, local_engine, send, send_many, until
from receivers import Receiver, Reply, Request

from webhook_engine import AttemptStatus, Engine, ManualClock, Message, PayloadUnavailableError

REASON = "payload expired or expunged"


class Gate:
    """Holds every answer back until it is opened."""

    def __init__(self) -> None:
        self._open = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def __call__(self, _request: Request) -> Reply:
        await self._open.wait()
        return Reply(200)


async def expunge_one(engine: Engine, message: str) -> None:
    await engine.messages.expunge_content("acme", message)


async def expunge_several(engine: Engine, message: str) -> None:
    await engine.messages.expunge_contents("acme", [message])


async def purge(engine: Engine, _message: str) -> None:
    task = await engine.messages.expunge_all_contents("acme")
    await engine.tasks.wait(task.id, timeout=5)


@pytest.mark.parametrize("expunge", [expunge_one, expunge_several, purge])
async def test_what_is_queued_in_memory_is_not_sent(
    tmp_path: Path, expunge: Callable[[Engine, str], Awaitable[None]]
) -> None:
    gate = Gate()
    async with (
        Receiver(gate) as receiver,
        # The clock stands still: what was created in the same moment is to be deleted too.
        local_engine(tmp_path / "e.db", ManualClock(), max_in_flight_per_endpoint=1) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        await send(engine, 1)
        await receiver.wait_for(1)
        queued = await send(engine, 2)
        await engine.attempts.resend("acme", queued, endpoint.id)
        await expunge(engine, queued)
        gate.open()
        await engine.join(timeout=5)
        assert [request.body for request in receiver.requests] == [b'{"n":1}']
        end = await destination(engine, queued)
        assert (end.status, end.reason, end.attempt_count) == (AttemptStatus.FAIL, REASON, 0)
        assert await attempts_of(engine, queued) == []


async def test_an_attempt_that_just_got_its_place_is_not_made(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        await send(engine, 1)
        await engine.join(timeout=5)
        offered = engine._flow._dispatcher.schedule

        def expunge_at_once(batch: object) -> None:
            offered(batch)  # type: ignore[arg-type]
            engine._flow.expunged([one.message.id for one in batch])  # type: ignore[attr-defined]

        engine._flow._dispatcher.schedule = expunge_at_once  # type: ignore[method-assign, assignment]
        await send(engine, 2)
        await engine.join(timeout=5)
        engine._flow._dispatcher.schedule = offered  # type: ignore[method-assign]
        last = await send(engine, 3)
        await engine.join(timeout=5)
        assert [request.body for request in receiver.requests] == [b'{"n":1}', b'{"n":3}']
        assert (await destination(engine, last)).status is AttemptStatus.SUCCESS
        assert not engine._flow._dispatcher._just_expunged


async def test_a_resend_that_an_expunge_overtakes_is_refused(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        deliveries = engine.services.store.deliveries
        read = deliveries.get

        async def expunged_meanwhile(*key: str) -> object:
            found = await read(*key)
            await engine.messages.expunge_content("acme", message)
            return found

        deliveries.get = expunged_meanwhile  # type: ignore[method-assign, assignment]
        with pytest.raises(PayloadUnavailableError, match="create the message anew"):
            await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1


async def test_expunging_while_a_backlog_is_being_sent_sends_nothing_afterwards(tmp_path: Path) -> None:
    async with (
        Receiver(Reply(200, delay=0.01)) as receiver,
        local_engine(tmp_path / "e.db", max_in_flight_per_endpoint=2) as engine,
    ):
        await acme(engine, receiver.url)
        ids = await send_many(engine, 400)
        await until(lambda: len(receiver.requests) >= 20)
        await engine.messages.expunge_contents("acme", ids)
        in_flight = engine.lane_figures().in_flight
        arrived = len(receiver.requests)
        await engine.join(timeout=10)
        assert arrived < 300
        assert len(receiver.requests) <= arrived + in_flight
        sent = {request.headers["webhook-id"] for request in receiver.requests}
        for message in ids[::20]:
            end = await destination(engine, message)
            assert end.status is (AttemptStatus.SUCCESS if message in sent else AttemptStatus.FAIL)


async def test_what_outlives_its_own_retention_in_the_queue_is_not_sent(tmp_path: Path) -> None:
    clock, gate = ManualClock(), Gate()
    async with (
        Receiver(gate) as receiver,
        local_engine(tmp_path / "e.db", clock, max_in_flight_per_endpoint=1) as engine,
    ):
        await acme(engine, receiver.url)
        await send(engine, 1)
        await receiver.wait_for(1)
        queued = await engine.messages.create("acme", event_type="a.b", payload={"n": 2}, payload_retention_hours=1)
        clock.advance(timedelta(hours=2))

        async def expired() -> bool:
            stored: Message = await engine.messages.get("acme", queued.id)
            engine._flow.retention.nudge()
            return stored.payload is None

        await until(expired)
        gate.open()
        await engine.join(timeout=5)
        assert len(receiver.requests) == 1
        assert (await destination(engine, queued.id)).reason == REASON
