"""An endpoint that waits as a whole when too many of its attempts fail, and is probed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from engines import Answers, acme, ids_of, local_engine, send_many, until
from receivers import Receiver

from webhook_engine import ManualClock
from webhook_engine.delivery.attempt.breaker import FEWEST

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_failing_endpoint_waits_and_is_probed_by_one_message(tmp_path: Path) -> None:
    clock, answers = ManualClock(START), Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, circuit_breaker=True, retry_schedule=["1h"])

        async def sent(count: int) -> None:
            await until(lambda: len(receiver.requests) == count)

        async def paused_until() -> datetime | None:
            return (await engine.endpoints.get("acme", endpoint.id)).paused_until

        await send_many(engine, FEWEST)
        await engine.join(timeout=5)
        assert await paused_until() == START + timedelta(seconds=30)
        waiting = await send_many(engine, 5)
        assert engine.services.flow.lane_figures().paused == 1
        # What a person asks for is sent all the same, and is no reason to wait longer.
        by_hand = await engine.endpoints.send_example("acme", endpoint.id, "svix.ping")
        await sent(FEWEST + 1)
        assert ids_of(receiver)[-1] == by_hand.id
        assert await paused_until() == START + timedelta(seconds=30)
        clock.advance(31)
        await sent(FEWEST + 2)
        assert ids_of(receiver)[-1] in waiting
        await until(lambda: engine.services.flow.lane_figures().in_flight == 0)
        answers.status = 200
        clock.advance(59)
        assert len(receiver.requests) == FEWEST + 2
        clock.advance(2)
        await engine.join(timeout=5)
        assert set(ids_of(receiver)[FEWEST + 1 :]) == set(waiting)
        assert len(receiver.requests) == FEWEST + 6
        assert await paused_until() is None


async def test_the_pause_goes_on_after_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(500) as receiver:
        async with local_engine(tmp_path / "e.db", clock, circuit_breaker=True, retry_schedule=[]) as engine:
            endpoint = await acme(engine, receiver.url)
            await send_many(engine, FEWEST)
            await engine.join(timeout=5)
        receiver.answer(200)
        async with local_engine(tmp_path / "e.db", clock, circuit_breaker=True) as engine:
            await send_many(engine, 3)
            await until(lambda: engine.services.flow.lane_figures().paused == 1)
            assert len(receiver.requests) == FEWEST
            clock.advance(31)
            await engine.join(timeout=5)
            assert len(receiver.requests) == FEWEST + 3
            # An endpoint may do without.
            receiver.answer(500)
            await engine.endpoints.update("acme", endpoint.id, circuit_breaker=False, retry_schedule=[])
            await send_many(engine, 2 * FEWEST)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 3 * FEWEST + 3


async def test_nobody_is_shown_a_pause_where_the_breaker_was_switched_off(tmp_path: Path) -> None:
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db", retry_schedule=["1h"]) as engine:
        endpoint = await acme(engine, receiver.url, circuit_breaker=True)
        await send_many(engine, FEWEST)
        await engine.join(timeout=5)
        edited = await engine.endpoints.update("acme", endpoint.id, filter={"paid": True})
        assert edited.paused_until is not None
        assert engine.services.flow.lane_figures().paused == 1
        edited = await engine.endpoints.update("acme", endpoint.id, circuit_breaker=None)
        assert edited.paused_until is None
        assert (await engine.endpoints.get("acme", endpoint.id)).paused_until is None


async def test_the_pause_is_over_once_the_configuration_gives_nobody_a_breaker(tmp_path: Path) -> None:
    async with Receiver(500) as receiver:
        async with local_engine(tmp_path / "e.db", circuit_breaker=True, retry_schedule=["1h"]) as engine:
            asks = await acme(engine, receiver.url, circuit_breaker=True)
            asks_not = await engine.endpoints.create("acme", url=receiver.url)
            await send_many(engine, FEWEST)
            await engine.join(timeout=5)
            before = [(await engine.endpoints.get("acme", one.id)).paused_until for one in (asks, asks_not)]
        assert None not in before
        async with local_engine(tmp_path / "e.db") as engine:
            after = [(await engine.endpoints.get("acme", one.id)).paused_until for one in (asks, asks_not)]
        assert after == [before[0], None]


async def test_without_one_each_message_goes_down_the_ladder(tmp_path: Path) -> None:
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint = await acme(engine, receiver.url)
        await send_many(engine, 2 * FEWEST)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 2 * FEWEST
        assert (await engine.endpoints.get("acme", endpoint.id)).paused_until is None


async def test_an_enabled_endpoint_does_not_wait(tmp_path: Path) -> None:
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint = await acme(engine, receiver.url, circuit_breaker=True)
        await send_many(engine, FEWEST)
        await engine.join(timeout=5)
        await engine.endpoints.disable("acme", endpoint.id)
        await engine.endpoints.enable("acme", endpoint.id)
        receiver.answer(200)
        await send_many(engine, 3)
        await engine.join(timeout=5)
        assert len(receiver.requests) == FEWEST + 3
