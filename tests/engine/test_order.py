"""Endpoints that get their messages one at a time, in the order of acceptance."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import Answers, acme, destination, ids_of, local_engine, pass_time, record_events, until
from order_checker import OrderChecker
from receivers import Receiver, Reply, Request
from stores import outside

from webhook_engine import Endpoint, Engine, ManualClock, MessageAttemptExhaustedEvent, Webhook
from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import AttemptStatus, DeliveryStatus
from webhook_engine.outbox import enqueue
from webhook_engine.store.records import DeliveryChange, Outcomes

START = datetime(2026, 1, 1, tzinfo=UTC)


async def send(engine: Engine, key: str | None, number: int, **fields: object) -> str:
    payload = {"key": key, "n": number}
    message = await engine.messages.create("acme", event_type="a", payload=payload, ordering_key=key, **fields)  # type: ignore[arg-type]
    return message.id


async def test_each_key_keeps_its_order_while_attempts_fail(tmp_path: Path) -> None:
    chance = random.Random(7)
    checker = OrderChecker(fails=lambda key, number: chance.random() < 0.2)
    async with (
        Receiver(checker) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=["1ms"] * 20) as engine,
    ):
        await acme(engine, receiver.url, ordering="fifo")
        for number in range(20):
            await asyncio.gather(*(send(engine, key, number) for key in "abcd"))
        await until(lambda: all(checker.next[key] == 20 for key in "abcd"))
    assert checker.broken == []
    assert checker.side_by_side > 1
    assert len(checker.came) > 80


async def test_a_failing_message_holds_up_its_key_alone(tmp_path: Path) -> None:
    clock = ManualClock(START)
    down = {"a"}
    checker = OrderChecker(fails=lambda key, number: key in down)
    async with Receiver(checker) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, ordering="fifo")
        for number in range(3):
            for key in ("a", "b", None):
                await send(engine, key, number)
        await engine.join(timeout=5)
        assert checker.came.count(("a", 0)) == 1
        assert (checker.next["a"], checker.next["b"], checker.next[None]) == (0, 3, 3)  # type: ignore[index]
        [head] = await engine.endpoints.orders("acme", endpoint.id)
        assert (head.ordering_key, head.state, head.waiting) == ("a", "retrying", 2)
        assert head.next_attempt is not None
        down.clear()
        await pass_time(engine, clock, 5)
        assert checker.next["a"] == 3
        assert not await engine.endpoints.orders("acme", endpoint.id)
    assert checker.broken == []


async def test_the_order_goes_on_when_retries_are_exhausted(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        await acme(engine, receiver.url, ordering="fifo")
        sent = [await send(engine, None, number) for number in range(3)]
        await engine.join(timeout=5)
        assert ids_of(receiver) == sent
        assert {(await destination(engine, one)).reason for one in sent} == {"retries exhausted"}


async def stopped(engine: Engine, receiver: Receiver, count: int = 3) -> tuple[Endpoint, list[str]]:
    """An endpoint whose order has stopped at the first of these messages."""
    endpoint = await acme(engine, receiver.url, ordering="fifo", ordering_on_exhausted="stop")
    sent = [await send(engine, "a", number) for number in range(count)]
    await engine.join(timeout=5)
    assert ids_of(receiver) == sent[:1]
    [head] = await engine.endpoints.orders("acme", endpoint.id)
    assert (head.message_id, head.state, head.waiting) == (sent[0], "stopped", count - 1)
    return endpoint, sent


async def test_an_order_that_stopped_goes_on_after_a_resend_that_succeeds(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        exhausted = record_events(engine, MessageAttemptExhaustedEvent)
        endpoint, sent = await stopped(engine, receiver)
        await engine.attempts.resend("acme", sent[0], endpoint.id)
        await engine.join(timeout=5)
        assert ids_of(receiver) == [sent[0]] * 2
        # What a person asks for goes out of turn.
        answers.status = 200
        await engine.attempts.resend("acme", sent[2], endpoint.id)
        await engine.join(timeout=5)
        assert ids_of(receiver)[2:] == [sent[2]]
        await engine.attempts.resend("acme", sent[0], endpoint.id)
        await engine.join(timeout=5)
        assert ids_of(receiver)[3:] == [sent[0], sent[1]]
        assert len(exhausted) == 1


async def test_an_order_that_stopped_goes_on_when_its_message_is_skipped(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint, sent = await stopped(engine, receiver)
        answers.status = 200
        await engine.endpoints.skip("acme", endpoint.id, sent[1])
        await engine.endpoints.skip("acme", endpoint.id, sent[0])
        await engine.join(timeout=5)
        assert ids_of(receiver) == [sent[0], sent[2]]
        assert (await destination(engine, sent[0])).status is AttemptStatus.FAIL
        skipped = await destination(engine, sent[1])
        assert (skipped.status, skipped.reason) == (AttemptStatus.CANCELED, "skipped by hand")
        with pytest.raises(NotFoundError, match="order of the endpoint"):
            await engine.endpoints.skip("acme", endpoint.id, sent[0])


@pytest.mark.parametrize("how", ["cancel", "edit", "recover"])
async def test_there_are_other_ways_to_let_it_go_on(tmp_path: Path, how: str) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint, sent = await stopped(engine, receiver)
        answers.status = 200
        if how == "cancel":
            await engine.messages.cancel("acme", sent[0])
        elif how == "edit":
            await engine.endpoints.update("acme", endpoint.id, ordering_on_exhausted="skip")
        else:
            await engine.endpoints.recover("acme", endpoint.id, since=endpoint.created_at)
        await until(lambda: ids_of(receiver)[-1] == sent[2])
        assert ids_of(receiver)[1:] == (sent if how == "recover" else sent[1:])


async def test_without_the_order_what_waits_is_sent_in_it_and_what_is_new_at_once(tmp_path: Path) -> None:
    clock, answers = ManualClock(START), Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, ordering="fifo")
        before = [await send(engine, "a", number) for number in range(3)]
        await engine.join(timeout=5)
        await engine.endpoints.update("acme", endpoint.id, ordering=None)
        answers.status = 200
        after = await send(engine, "a", 3)
        await engine.join(timeout=5)
        assert ids_of(receiver) == [before[0], after]
        await pass_time(engine, clock, 5)
        assert ids_of(receiver)[2:] == before


async def test_a_disabled_endpoint_begins_anew(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=[]) as engine:
        endpoint, sent = await stopped(engine, receiver)
        await engine.endpoints.disable("acme", endpoint.id)
        assert not await engine.endpoints.orders("acme", endpoint.id)
        answers.status = 200
        await engine.endpoints.enable("acme", endpoint.id)
        await engine.endpoints.recover("acme", endpoint.id, since=endpoint.created_at)
        await until(lambda: len(receiver.requests) == 4)
        assert ids_of(receiver)[1:] == sent


async def test_the_order_holds_over_restarts(tmp_path: Path) -> None:
    checker = OrderChecker(delay=0.001)
    async with Receiver(checker) as receiver:
        for start in range(0, 60, 20):
            async with local_engine(tmp_path / "e.db", shutdown_grace="0s") as engine:
                if not start:
                    await acme(engine, receiver.url, ordering="fifo")
                for number in range(start, start + 20):
                    await asyncio.gather(*(send(engine, key, number) for key in "ab"))
        async with local_engine(tmp_path / "e.db") as engine:
            await until(lambda: checker.next["a"] == checker.next["b"] == 60)
    assert checker.broken == []


async def test_the_outbox_carries_the_key(tmp_path: Path) -> None:
    checker = OrderChecker()
    async with Receiver(checker) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, ordering="fifo")
        with outside(tmp_path / "e.db") as db:
            for number in range(5):
                payload = {"key": "a", "n": number}
                enqueue(db, application="acme", event_type="a", payload=payload, ordering_key="a", tags=["t"])
        await until(lambda: checker.next["a"] == 5)
        [message] = (await engine.messages.list("acme", limit=1)).data
        assert (message.ordering_key, message.tags) == ("a", ("t",))
    assert checker.broken == []


async def test_a_batch_carries_several_messages_of_a_key(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url, ordering="fifo", batch_size=3, batch_wait="10s")
        secret = await engine.endpoints.get_secret("acme", endpoint.id)
        sent = [await send(engine, "a", number) for number in range(2)]
        text = await engine.messages.create("acme", event_type="b", payload="no JSON", ordering_key="b")
        await engine.join(timeout=5)
        assert receiver.requests == []
        sent.append(await send(engine, "a", 2))
        await engine.join(timeout=5)
        [request] = receiver.requests
        body = Webhook(secret, clock=clock).verify(request.body, request.headers)
        assert [(one["id"], one["eventType"], one["payload"]["n"]) for one in body] == [
            (one, "a", number) for number, one in enumerate(sent)
        ]
        assert request.headers["webhook-id"].startswith("batch_")
        for one in sent:
            [attempt] = (await engine.attempts.list_by_message("acme", one)).data
            assert (attempt.response_status_code, attempt.status) == (500, AttemptStatus.FAIL)
        sent.append(await send(engine, "a", 3))
        answers.status = 200
        await pass_time(engine, clock, 5)
        again = receiver.requests[1]
        assert (again.body, again.headers["webhook-id"]) == (request.body, request.headers["webhook-id"])
        assert {(await destination(engine, one)).status for one in sent[:3]} == {AttemptStatus.SUCCESS}
        # What is left goes when it has waited long enough.
        await pass_time(engine, clock, 5)
        assert [len(Webhook(secret, clock=clock).verify(one.body, one.headers)) for one in receiver.requests[2:]] == [1]
        assert b'"payload":"no JSON"' in receiver.requests[2].body
        await pass_time(engine, clock, 10)
        assert (await destination(engine, sent[3])).status is AttemptStatus.SUCCESS
        assert (await destination(engine, text.id)).status is AttemptStatus.SUCCESS


async def test_each_attempt_of_a_batch_began_when_the_request_did(tmp_path: Path) -> None:
    clock = ManualClock(START)

    def take_time(_: Request) -> Reply:
        clock.advance(seconds=3)
        return Reply(200)

    async with Receiver(take_time) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url, ordering="fifo", batch_size=3, batch_wait="10s")
        sent = [await send(engine, "a", number) for number in range(3)]
        await engine.join(timeout=5)
        attempts = [(await engine.attempts.list_by_message("acme", one)).data for one in sent]
    assert [attempt.timestamp - START < timedelta(seconds=1) for [attempt] in attempts] == [True] * 3


async def test_batches_keep_the_order(tmp_path: Path) -> None:
    chance = random.Random(3)
    checker = OrderChecker(fails=lambda key, number: chance.random() < 0.03)
    async with (
        Receiver(checker) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=["1ms"] * 20) as engine,
    ):
        await acme(engine, receiver.url, ordering="fifo", batch_size=7, batch_wait="20ms")
        for number in range(50):
            await asyncio.gather(*(send(engine, key, number) for key in "ab"))
        await until(lambda: checker.next["a"] == checker.next["b"] == 50)
    assert checker.broken == []
    # How many are there in time depends on the machine.
    assert 1 < max(checker.batches) <= 7


async def test_a_batch_is_bounded_in_bytes(tmp_path: Path) -> None:
    sizes: list[int] = []

    def note(request: Request) -> Reply:
        sizes.append(len(request.body))
        return Reply(200)

    async with Receiver(note) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, ordering="fifo", batch_size=100, batch_wait="100ms")
        await asyncio.gather(
            *(engine.messages.create("acme", event_type="a", payload={"n": "x" * 300_000}) for _ in range(10))
        )
        await until(lambda: sum(sizes) > 3_000_000)
    assert len(sizes) == 4
    assert max(sizes) < 1_100_000


async def test_what_an_endpoint_asks_for_must_go_together(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        for wrong in (
            {"batch_size": 5},
            {"ordering": "lifo"},
            {"ordering": "fifo", "batch_wait": "1s"},
            {"ordering": "fifo", "ordering_on_exhausted": "explode"},
            {"ordering": "fifo", "batch_size": 1_001},
        ):
            with pytest.raises(ValidationError):
                await acme(engine, "http://127.0.0.1:1/", **wrong)
        endpoint = await acme(engine, "http://127.0.0.1:1/", ordering="fifo", batch_size=5)
        with pytest.raises(ValidationError, match="batch_size"):
            await engine.endpoints.update("acme", endpoint.id, ordering=None)
        with pytest.raises(ValidationError, match="ordering_key"):
            await send(engine, "a\nb", 1)


@pytest.mark.slow
async def test_the_order_holds_although_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(11)
    checker = OrderChecker(fails=lambda key, number: chance.random() < 0.1)
    accepted = dict.fromkeys("abc", 0)
    child = Path(__file__).with_name("ordering_child.py")
    async with Receiver(checker) as receiver:
        for _ in range(3):
            starts = [f"{key}={number}" for key, number in accepted.items()]
            process = await asyncio.create_subprocess_exec(
                sys.executable, child, tmp_path / "e.db", receiver.url, *starts, stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            left = chance.randrange(1, 120)
            while left and (line := await process.stdout.readline()):
                left -= 1
                key, number = line.decode().split()
                accepted[key] = int(number) + 1
            assert left == 0
            process.kill()
            out, _ = await process.communicate()
            for one in out.decode().splitlines()[:-1]:
                key, number = one.split()
                accepted[key] = int(number) + 1
        async with local_engine(tmp_path / "e.db", retry_schedule=["5ms"] * 30):
            await until(lambda: all(checker.next[key] >= number for key, number in accepted.items()), timeout=20)
    assert checker.broken == []
    assert sum(accepted.values()) > 10


@pytest.mark.parametrize("how", ["resend", "skip", "late success"])
async def test_whatever_gives_the_turn_away_the_next_one_waits_for_the_answer(tmp_path: Path, how: str) -> None:
    """The turn is given to the next message while an attempt of the first one is still under way."""
    answered, came = asyncio.Event(), list[str]()

    async def answer(request: Request) -> Reply:
        came.append(request.headers["webhook-id"])
        if len(came) == 1:
            await answered.wait()
            came.append("answered")
        return Reply(200)

    async with Receiver(answer) as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, ordering="fifo")
        first, second = [await send(engine, "a", number) for number in range(2)]
        await until(lambda: came == [first])
        if how == "resend":
            await engine.attempts.resend("acme", first, endpoint.id)
            await until(lambda: came == [first, first])
        elif how == "skip":
            await engine.endpoints.skip("acme", endpoint.id, first)
        else:
            change = DeliveryChange(
                first, endpoint.id, DeliveryStatus.SUCCEEDED, None, 1, None, engine.services.clock.now(), ordered=True
            )
            services = engine.services
            services.flow.turns_given(await services.store.deliveries.record(Outcomes(deliveries=[change])))

        async def moved_on() -> bool:
            return [one.message_id for one in await engine.endpoints.orders("acme", endpoint.id)] == [second]

        await until(moved_on)
        # Another one passes, so the engine would have sent the next one too.
        other = await send(engine, "b", 0)
        await until(lambda: other in came)
        assert second not in came
        answered.set()
        await engine.join(timeout=5)
        assert came.index("answered") < came.index(second)
