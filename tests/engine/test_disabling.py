"""An endpoint that fails for five days is disabled, with a warning before; and what that means for its messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import (
    DAY,
    Answers,
    acme,
    attempts_of,
    destination,
    ids_of,
    local_engine,
    pass_time,
    record_events,
    send,
    send_many,
    until,
)
from freezegun import freeze_time
from receivers import Receiver, hanging

from webhook_engine import (
    AttemptStatus,
    EndpointDisabledEvent,
    EndpointEnabledEvent,
    EndpointFailingEvent,
    Engine,
    ManualClock,
    MessageAttemptExhaustedEvent,
    TaskStatus,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG = ["10h"] * 40


async def fail_for(engine: Engine, clock: ManualClock, length: timedelta, step: timedelta = 4 * HOUR) -> None:
    """Time passes, with a message every few hours."""
    for _ in range(length // step):
        await pass_time(engine, clock, step)
        await send(engine)
        await engine.join(timeout=5)


async def test_five_days_of_failure_warn_once_halfway_and_disable_once(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        warnings = record_events(engine, EndpointFailingEvent)
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        first = await send(engine)
        await engine.join(timeout=5)
        begun = (await attempts_of(engine, first))[0].timestamp
        await fail_for(engine, clock, timedelta(days=2, hours=8))
        assert not warnings
        await fail_for(engine, clock, 4 * HOUR)
        assert len(warnings) == 1
        await fail_for(engine, clock, timedelta(days=2, hours=8))
        assert not (await engine.endpoints.get("acme", endpoint.id)).disabled
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at == begun
        await fail_for(engine, clock, 4 * HOUR)
        assert (len(warnings), len(disabled)) == (1, 1)
        [event] = disabled
        assert event.first_failure_at == begun == warnings[0].first_failure_at
        assert (event.endpoint_id, event.application_uid, event.timestamp) == (endpoint.id, "acme", START + 5 * DAY)
        after = await engine.endpoints.get("acme", endpoint.id)
        assert after.disabled
        assert after.disabled_at == START + 5 * DAY
        assert after.first_failure_at == begun
        sent = len(receiver.requests)
        await fail_for(engine, clock, 12 * DAY, DAY)
        assert len(receiver.requests) == sent
        assert (len(warnings), len(disabled)) == (1, 1)


async def test_one_message_that_fails_down_a_long_ladder_is_enough(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=LONG) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        exhausted = record_events(engine, MessageAttemptExhaustedEvent)
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        for _ in range(12):
            await pass_time(engine, clock, 10 * HOUR)
        assert len(disabled) == 1
        assert not exhausted
        end = await destination(engine, message)
        assert (end.status, end.reason) == (AttemptStatus.FAIL, "endpoint disabled")
        assert len(receiver.requests) == 13


async def test_five_days_pass_under_freezegun(tmp_path: Path) -> None:
    with freeze_time("2026-01-01", real_asyncio=True) as frozen:
        async with (
            Receiver(Answers(500)) as receiver,
            local_engine(tmp_path / "e.db", retry_schedule=["12h"] * 20) as engine,
        ):
            warnings = record_events(engine, EndpointFailingEvent)
            disabled = record_events(engine, EndpointDisabledEvent)
            endpoint = await acme(engine, receiver.url)
            await send(engine)
            await engine.join(timeout=5)
            for number in range(2, 12):
                frozen.tick(12 * HOUR)
                await receiver.wait_for(number, timeout=30)
                await engine.join(timeout=30)
                told = (int(number >= 6), int(number == 11))
                await until(lambda told=told: (len(warnings), len(disabled)) == told)  # type: ignore[misc]
            assert disabled[0].first_failure_at == START
            assert (await engine.endpoints.get("acme", endpoint.id)).disabled


async def test_a_success_ends_the_window(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with (
        Receiver(answers) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        warnings = record_events(engine, EndpointFailingEvent)
        endpoint = await acme(engine, receiver.url)
        await fail_for(engine, clock, 4 * DAY + 20 * HOUR)
        assert len(warnings) == 1
        answers.status = 200
        await fail_for(engine, clock, 4 * HOUR)
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at is None
        answers.status = 500
        await fail_for(engine, clock, 5 * DAY)
        assert not disabled
        await fail_for(engine, clock, 4 * HOUR)
        assert len(disabled) == 1
        assert len(warnings) == 2


async def test_a_silence_longer_than_two_windows_ends_the_window(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        clock.advance(10 * DAY + HOUR)
        await send(engine)
        await engine.join(timeout=5)
        assert not disabled
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at == START + 10 * DAY + HOUR
        clock.advance(10 * DAY)
        await send(engine)
        await engine.join(timeout=5)
        assert len(disabled) == 1


async def test_the_window_is_remembered_over_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver:
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine:
            await acme(engine, receiver.url)
            await fail_for(engine, clock, 4 * DAY)
        async with local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine:
            disabled = record_events(engine, EndpointDisabledEvent)
            warnings = record_events(engine, EndpointFailingEvent)
            await fail_for(engine, clock, 4 * HOUR + DAY)
            assert len(disabled) == 1
            assert disabled[0].first_failure_at == START + 4 * HOUR
            assert not warnings


async def test_410_gone_disables_at_once(tmp_path: Path) -> None:
    async with Receiver(Answers(410)) as receiver, local_engine(tmp_path / "e.db") as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        after = await engine.endpoints.get("acme", endpoint.id)
        assert after.disabled
        assert "410" in (after.disabled_reason or "")
        assert len(disabled) == 1
        [attempt] = await attempts_of(engine, message)
        # The window began with the attempt that was told to go away.
        assert abs(disabled[0].first_failure_at - attempt.timestamp) < timedelta(seconds=5)
        assert after.first_failure_at == disabled[0].first_failure_at
        assert (await destination(engine, message)).reason == "endpoint disabled"


async def test_410_is_a_failure_like_any_other_where_configured(tmp_path: Path) -> None:
    async with (
        Receiver(Answers(410)) as receiver,
        local_engine(tmp_path / "e.db", disable_on_gone=False) as engine,
    ):
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        assert not (await engine.endpoints.get("acme", endpoint.id)).disabled
        assert (await destination(engine, message)).next_attempt is not None


@pytest.mark.parametrize(("status", "outcome"), [(200, AttemptStatus.SUCCESS), (500, AttemptStatus.FAIL)])
async def test_the_receiver_may_ask_to_be_disabled(tmp_path: Path, status: int, outcome: AttemptStatus) -> None:
    answers = Answers(status, {"webhook-delivery": "disable"})
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db") as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        assert (await engine.endpoints.get("acme", endpoint.id)).disabled
        assert len(disabled) == 1
        assert (await destination(engine, message)).status is outcome


async def test_the_receiver_may_end_a_delivery(tmp_path: Path) -> None:
    answers = Answers(500, {"Webhook-Delivery": "abort-message"})
    clock = ManualClock(START)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 1
        end = await destination(engine, message)
        assert (end.status, end.reason) == (AttemptStatus.FAIL, "aborted by the receiver")
        assert not (await engine.endpoints.get("acme", endpoint.id)).disabled


async def test_what_is_pending_fails_when_the_endpoint_is_disabled_and_recover_finds_it(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        messages = await send_many(engine, 20)
        await engine.join(timeout=5)
        answers.status = 410
        await send(engine)
        await engine.join(timeout=5)
        assert (await engine.endpoints.get("acme", endpoint.id)).disabled
        for message in messages:
            end = await destination(engine, message)
            assert (end.status, end.reason, end.next_attempt) == (AttemptStatus.FAIL, "endpoint disabled", None)
        answers.status = 200
        await engine.endpoints.enable("acme", endpoint.id)
        sent = len(receiver.requests)
        task = await engine.endpoints.recover("acme", endpoint.id, since=START - HOUR)
        await engine.join(timeout=5)
        finished = await engine.tasks.get(task.id)
        assert (finished.status, finished.data["processed"]) == (TaskStatus.FINISHED, 21)
        assert len(receiver.requests) == sent + 21
        for message in messages:
            assert (await destination(engine, message)).status is AttemptStatus.SUCCESS


async def test_a_disabled_endpoint_gets_no_new_messages_and_replay_missing_sends_them_later(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        await engine.endpoints.disable("acme", endpoint.id)
        begun = datetime.now(UTC) - timedelta(minutes=1)
        messages = await send_many(engine, 5)
        await engine.join(timeout=5)
        assert not receiver.requests
        for message in messages:
            assert not (await engine.attempts.list_attempted_destinations("acme", message)).data
        await engine.endpoints.enable("acme", endpoint.id)
        await engine.join(timeout=5)
        assert not receiver.requests
        task = await engine.endpoints.replay_missing("acme", endpoint.id, since=begun)
        assert (await engine.tasks.wait(task.id, timeout=5)).data["processed"] == 5
        await engine.join(timeout=5)
        assert sorted(ids_of(receiver)) == sorted(messages)


async def test_enabling_clears_the_window_and_sends_nothing_by_itself(tmp_path: Path) -> None:
    clock = ManualClock(START)
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        enabled = record_events(engine, EndpointEnabledEvent)
        endpoint = await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        await fail_for(engine, clock, 5 * DAY)
        assert len(disabled) == 1
        sent = len(receiver.requests)
        after = await engine.endpoints.enable("acme", endpoint.id)
        assert (after.disabled, after.disabled_at, after.first_failure_at) == (False, None, None)
        assert after.disabled_reason is None
        assert len(enabled) == 1
        await pass_time(engine, clock, 3 * DAY)
        assert len(receiver.requests) == sent
        # The next failure starts a window of its own: no warning, no disabling.
        await send(engine)
        await engine.join(timeout=5)
        assert len(disabled) == 1
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at == START + 8 * DAY
        await fail_for(engine, clock, 5 * DAY)
        assert len(disabled) == 2


async def test_an_endpoint_that_is_disabled_and_enabled_in_a_row_resends_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        messages = await send_many(engine, 30)
        await engine.join(timeout=5)
        for _ in range(3):
            await engine.endpoints.disable("acme", endpoint.id)
            await engine.endpoints.enable("acme", endpoint.id)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 30
        assert {(await destination(engine, message)).reason for message in messages} == {"endpoint disabled"}


async def test_disabling_by_hand_emits_no_disabled_event(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        disabled = record_events(engine, EndpointDisabledEvent)
        endpoint = await acme(engine, receiver.url)
        await engine.endpoints.disable("acme", endpoint.id)
        await engine.join(timeout=5)
        assert not disabled
        assert (await engine.endpoints.get("acme", endpoint.id)).disabled_reason == "disabled by hand"


async def test_deleting_an_endpoint_cancels_what_is_pending(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        await engine.endpoints.delete("acme", endpoint.id)
        end = await destination(engine, message)
        assert (end.status, end.next_attempt) == (AttemptStatus.CANCELED, None)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 1


async def test_deleting_an_application_cancels_what_is_pending_for_all_its_endpoints(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db", clock) as engine:
        for _ in range(3):
            await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        await engine.applications.delete("acme")
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 3
        # The uid is free for another, who gets nothing of what the first one had.
        await acme(engine, receiver.url)
        await pass_time(engine, clock, DAY)
        assert len(receiver.requests) == 3


async def test_a_request_in_flight_while_its_endpoint_is_disabled_fails_as_disabled(tmp_path: Path) -> None:
    async with hanging() as hang, local_engine(tmp_path / "e.db", timeout="300ms") as engine:
        endpoint = await acme(engine, hang.url)
        messages = await send_many(engine, 10)
        await engine.endpoints.disable("acme", endpoint.id)
        await engine.join(timeout=5)
        for message in messages:
            end = await destination(engine, message)
            assert (end.status, end.reason, end.next_attempt) == (AttemptStatus.FAIL, "endpoint disabled", None)


async def test_a_burst_that_all_comes_in_at_the_fifth_day_disables_once(tmp_path: Path) -> None:
    clock = ManualClock(START)
    async with (
        Receiver(Answers(500)) as receiver,
        local_engine(tmp_path / "e.db", clock, retry_schedule=[]) as engine,
    ):
        disabled = record_events(engine, EndpointDisabledEvent)
        await acme(engine, receiver.url)
        await fail_for(engine, clock, 4 * DAY)
        clock.advance(DAY + 4 * HOUR)
        messages = await send_many(engine, 200)
        await engine.join(timeout=10)
        assert len(disabled) == 1
        for message in messages:
            assert (await destination(engine, message)).status is AttemptStatus.FAIL
