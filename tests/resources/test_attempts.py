"""Attempts: listed from both sides, and what a person sends by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import (
    DAY,
    Answers,
    acme,
    attempts_of,
    destination,
    local_engine,
    pass_time,
    record_events,
    send,
    until,
)
from receivers import Receiver, hanging
from resources.calls import send as sent
from stores import query

from webhook_engine import (
    AttemptStatus,
    EndpointDisabledEvent,
    Engine,
    ManualClock,
    NotFoundError,
    PayloadUnavailableError,
    TriggerType,
    ValidationError,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_resend_that_succeeds_settles_the_delivery_and_cancels_its_retries(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        answers.status = 200
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        first, second = await attempts_of(engine, message)
        assert (first.trigger_type, second.trigger_type) == (TriggerType.SCHEDULED, TriggerType.MANUAL)
        assert second.status is AttemptStatus.SUCCESS
        end = await destination(engine, message)
        assert (end.status, end.next_attempt) == (AttemptStatus.SUCCESS, None)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 2


async def test_a_resend_that_fails_leaves_the_schedule_as_it_was(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        before = await destination(engine, message)
        for _ in range(3):
            await engine.attempts.resend("acme", message, endpoint.id)
            await engine.join(timeout=5)
        after = await destination(engine, message)
        assert (after.status, after.next_attempt) == (before.status, before.next_attempt)
        assert after.attempt_count == 4
        # The ladder goes on with its second step, as if nobody had tried meanwhile.
        await pass_time(engine, clock, 5)
        assert (await destination(engine, message)).next_attempt == START + timedelta(minutes=5, seconds=5)
        for _ in range(40):
            await pass_time(engine, clock, timedelta(hours=1))
        attempts = await attempts_of(engine, message)
        assert [one.trigger_type for one in attempts].count(TriggerType.SCHEDULED) == 8


async def test_a_resend_goes_to_a_disabled_endpoint_too(tmp_path: Path) -> None:
    answers = Answers(410)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        answers.status = 200
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert (await destination(engine, message)).status is AttemptStatus.SUCCESS
        assert (await engine.endpoints.get("acme", endpoint.id)).disabled


async def test_a_resend_does_not_wait_for_a_backlog_that_fills_the_lane(tmp_path: Path) -> None:
    """Somebody has repaired a receiver that was dead for long, and tries it."""
    async with hanging() as hang, local_engine(tmp_path / "e.db", timeout="2s", shutdown_grace="0s") as engine:
        endpoint = await acme(engine, hang.url)
        large = b'"' + b"x" * 900_000 + b'"'
        messages = [await engine.messages.create("acme", event_type="a.b", payload=large) for _ in range(9)]
        await hang.wait_for(2)
        lane = engine._flow._dispatcher._lane(endpoint.id)
        await until(lambda: lane.in_flight == 2 and lane.room() == 0)
        await engine.attempts.resend("acme", messages[-1].id, endpoint.id)
        async with Receiver() as receiver:
            await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
            [first, *_] = await receiver.wait_for(1)
            assert first.headers["webhook-id"] == messages[-1].id


async def test_a_message_that_was_delivered_can_be_sent_again(tmp_path: Path) -> None:
    answers = Answers(200)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        answers.status = 500
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 2
        # What was delivered stays delivered, whatever comes of sending it again.
        assert (await destination(engine, message)).status is AttemptStatus.SUCCESS
        assert [one.status for one in await attempts_of(engine, message)] == [AttemptStatus.SUCCESS, AttemptStatus.FAIL]


@pytest.mark.parametrize(("status", "outcome"), [(200, AttemptStatus.SUCCESS), (500, AttemptStatus.FAIL)])
async def test_a_message_can_be_sent_to_an_endpoint_that_never_had_it(
    tmp_path: Path, status: int, outcome: AttemptStatus
) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(status)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        message = await send(engine)
        endpoint = await acme(engine, receiver.url)
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count, end.next_attempt) == (outcome, 1, None)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 1


async def test_a_message_whose_payload_is_gone_cannot_be_sent_again(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await engine.messages.expunge_content("acme", message)
        with pytest.raises(PayloadUnavailableError, match="create the message anew"):
            await engine.attempts.resend("acme", message, endpoint.id)
        assert len(receiver.requests) == 1


async def test_a_pending_retry_whose_payload_was_expunged_fails_with_that_reason(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await engine.messages.expunge_content("acme", message)
        await pass_time(engine, clock, 5)
        end = await destination(engine, message)
        assert (end.status, end.reason) == (AttemptStatus.FAIL, "payload expired or expunged")
        assert (end.attempt_count, len(receiver.requests)) == (1, 1)


async def test_a_resend_that_was_not_made_yet_survives_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with hanging() as hang, Receiver() as receiver:
        async with local_engine(database, shutdown_grace="0s", max_in_flight_per_endpoint=1) as engine:
            endpoint = await acme(engine, hang.url)
            message = await send(engine)
            await until(lambda: hang.connections)
            await engine.attempts.resend("acme", message, endpoint.id)
            await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        assert query(database, "SELECT count(*) FROM webhook_manual_attempt") == [(1,)]
        async with local_engine(database) as engine:
            await engine.join(timeout=5)
            attempts = await attempts_of(engine, message)
            assert sorted(one.trigger_type for one in attempts) in ([0, 1], [1])
            assert (await destination(engine, message)).status is AttemptStatus.SUCCESS
        assert query(database, "SELECT count(*) FROM webhook_manual_attempt") == [(0,)]


async def test_two_resends_are_two_attempts(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await asyncio.gather(*(engine.attempts.resend("acme", message, endpoint.id) for _ in range(10)))
        await engine.join(timeout=5)
        assert len(receiver.requests) == 11
        assert len(await attempts_of(engine, message)) == 11


async def test_manual_attempts_never_start_or_cross_a_failure_window_and_a_success_ends_it(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(200)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        answers.status = 500
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at is None
        await send(engine)
        await engine.join(timeout=5)
        clock.advance(6 * DAY)
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert not disabled
        answers.status = 200
        await engine.attempts.resend("acme", message, endpoint.id)
        await engine.join(timeout=5)
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at is None


async def test_a_resend_to_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        for wrong in (("nobody", message, endpoint.id), ("acme", "msg_x", endpoint.id), ("acme", message, "ep_x")):
            with pytest.raises(NotFoundError):
                await engine.attempts.resend(*wrong)


async def test_an_example_is_sent_whatever_the_filters_and_also_to_a_disabled_endpoint(tmp_path: Path) -> None:
    schema = {"1": {"type": "object", "examples": [{"id": 7}, {"id": 8}]}}
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await engine.event_types.create(name="invoice.paid", schemas=schema)
        await engine.event_types.create(name="other")
        endpoint = await acme(engine, receiver.url, event_types=["other"], channels=["red"])
        await acme(engine, receiver.url + "second")
        await engine.endpoints.disable("acme", endpoint.id)
        await engine.endpoints.send_example("acme", endpoint.id, "invoice.paid")
        await engine.endpoints.send_example("acme", endpoint.id, "invoice.paid", example_index=1)
        message = await engine.endpoints.send_example("acme", endpoint.id, "svix.ping")
        await engine.join(timeout=5)
        bodies = [request.body for request in receiver.requests]
        assert sorted(bodies) == [b'{"id":7}', b'{"id":8}', b'{"success": true}']
        [attempt] = await attempts_of(engine, message.id)
        assert attempt.trigger_type is TriggerType.MANUAL
        # Only once, although it failed.
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 3
        assert (await destination(engine, message.id)).status is AttemptStatus.FAIL


async def test_an_event_type_without_an_example_is_refused(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        await engine.event_types.create(name="bare")
        with pytest.raises(ValidationError, match="no example"):
            await engine.endpoints.send_example("acme", endpoint.id, "bare")
        with pytest.raises(NotFoundError):
            await engine.endpoints.send_example("acme", endpoint.id, "unheard.of")


async def test_cancelling_a_message_ends_its_retries(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        assert await engine.messages.cancel("acme", message) == 1
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 1
        assert (await destination(engine, message)).status is AttemptStatus.CANCELED


async def test_a_message_can_be_sent_again_also_to_a_disabled_endpoint(engine: Engine, receiver) -> None:
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    message = await sent(engine)
    await engine.endpoints.disable("acme", endpoint.id)
    await engine.attempts.resend("acme", message.id, endpoint.id)
    await engine.join(5)
    assert receiver.bodies == [b'{"id":1}'] * 2
    again, first = (await engine.attempts.list_by_message("acme", message.id)).data
    assert (first.trigger_type, again.trigger_type) == (TriggerType.SCHEDULED, TriggerType.MANUAL)


async def test_a_message_can_be_sent_to_an_endpoint_that_it_was_not_for(engine: Engine, receiver) -> None:
    message = await sent(engine)
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    await engine.attempts.resend("acme", message.id, endpoint.id)
    await engine.join(5)
    assert receiver.bodies == [b'{"id":1}']


async def test_resending_needs_things_that_exist(engine: Engine, receiver) -> None:
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    message = await sent(engine)
    for application, key, target in (
        ("nobody", message.id, endpoint.id),
        ("acme", "nothing", endpoint.id),
        ("acme", message.id, "nowhere"),
    ):
        with pytest.raises(NotFoundError):
            await engine.attempts.resend(application, key, target)


async def test_attempts_are_listed_from_both_sides(engine: Engine, receiver) -> None:
    one = await engine.endpoints.create("acme", url=receiver.url, uid="one")
    two = await engine.endpoints.create("acme", url=receiver.url, uid="two")
    message = await sent(engine, channels=["c"], tags=["t"])
    receiver.answer(404)
    failed = await sent(engine, event_type="b")
    by_message = (await engine.attempts.list_by_message("acme", message.id)).data
    assert {attempt.endpoint_id for attempt in by_message} == {one.id, two.id}
    (only,) = (await engine.attempts.list_by_message("acme", message.id, endpoint="two")).data
    assert only.endpoint_id == two.id
    assert await engine.attempts.get("acme", message.id, only.id) == only
    assert [attempt async for attempt in engine.attempts.iterate_by_message("acme", message.id)] == by_message
    walked = [attempt.msg_id async for attempt in engine.attempts.iterate_by_endpoint("acme", "one")]
    assert walked == [failed.id, message.id]
    for filters, wanted in (
        ({"status": AttemptStatus.FAIL}, [failed.id]),
        ({"status": 0}, [message.id]),
        ({"status_code_class": 400}, [failed.id]),
        ({"status_code_class": 0}, []),
        ({"event_types": ["b"]}, [failed.id]),
        ({"channel": "c"}, [message.id]),
        ({"tag": "t"}, [message.id]),
    ):
        page = await engine.attempts.list_by_endpoint("acme", "one", **filters)  # type: ignore[arg-type]
        assert [attempt.msg_id for attempt in page.data] == wanted, filters
    messages = await engine.attempts.list_attempted_messages("acme", "one", status=AttemptStatus.FAIL)
    assert [row.message.id for row in messages.data] == [failed.id]
    pages = [await engine.attempts.list_attempted_destinations("acme", message.id, limit=1)]
    pages.append(await engine.attempts.list_attempted_destinations("acme", message.id, iterator=pages[0].iterator))
    assert [row.endpoint.id for page in pages for row in page.data] == [one.id, two.id]
    assert [page.done for page in pages] == [False, True]


@pytest.mark.parametrize(
    "filters",
    [{"status": 9}, {"status": True}, {"status": "fail"}, {"status_code_class": 250}, {"status_code_class": 600}],
)
async def test_a_filter_of_attempts_that_makes_no_sense_is_refused(engine: Engine, filters: dict[str, object]) -> None:
    await engine.endpoints.create("acme", url="http://h", uid="one")
    with pytest.raises(ValidationError):
        await engine.attempts.list_by_endpoint("acme", "one", **filters)  # type: ignore[arg-type]


async def test_a_response_can_be_taken_away(engine: Engine, receiver) -> None:
    await engine.endpoints.create("acme", url=receiver.url)
    message = await sent(engine)
    (attempt,) = (await engine.attempts.list_by_message("acme", message.id)).data
    assert attempt.response == "seen"
    await engine.attempts.expunge_content("acme", message.id, attempt.id)
    assert (await engine.attempts.get("acme", message.id, attempt.id)).response == "EXPUNGED"
    for call in (engine.attempts.get, engine.attempts.expunge_content):
        with pytest.raises(NotFoundError):
            await call("acme", message.id, "atmpt_unknown")
