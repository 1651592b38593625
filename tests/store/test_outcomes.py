"""What recorded outcomes make of deliveries and endpoints."""

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import START, World, addressed, change, ids, kept, manual

from webhook_engine.clock import to_datetime
from webhook_engine.errors import StoreError
from webhook_engine.model import AttemptStatus, DeliveryStatus, Health
from webhook_engine.store.records import (
    AttemptFilter,
    EndpointChanges,
    EndpointCondition,
    MessageFilter,
    Outcomes,
    Span,
)
from webhook_engine.store.seam import Store

PENDING, SUCCEEDED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED
FAILED, CANCELLED = DeliveryStatus.FAILED, DeliveryStatus.CANCELLED
EVERYTHING = Span(limit=1_000)


async def test_a_success_settles_the_delivery(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    attempt = await world.conclude(sent, endpoint, SUCCEEDED)
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.attempt_count, seen.next_attempt) == (AttemptStatus.SUCCESS, 1, None)
    assert ids(await store.attempts.list_by_message(sent.id, EVERYTHING, AttemptFilter())) == [attempt.id]


async def test_a_failure_schedules_the_next_attempt(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    next_at = world.now + 5_000_000
    await world.conclude(sent, endpoint, PENDING, next_at)
    [due] = await store.deliveries.due(endpoint.endpoint.id, next_at, 10)
    assert (due.due_at, due.step, due.attempt_count) == (next_at, 1, 1)
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.next_attempt) == (AttemptStatus.SENDING, to_datetime(next_at))


async def test_the_reason_is_kept(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, FAILED, reason="retries exhausted")]))
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.reason) == (AttemptStatus.FAIL, "retries exhausted")


@pytest.mark.parametrize("before", [FAILED, CANCELLED, SUCCEEDED])
async def test_a_success_settles_whatever_came_before(store: Store, world: World, before: DeliveryStatus) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, before, reason="before")]))
    await world.conclude(sent, endpoint, SUCCEEDED)
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.reason, seen.attempt_count) == (AttemptStatus.SUCCESS, None, 2)


@pytest.mark.parametrize("before", [FAILED, CANCELLED, SUCCEEDED])
@pytest.mark.parametrize("late", [FAILED, CANCELLED, PENDING])
async def test_a_late_failure_undoes_nothing_but_counts(
    store: Store, world: World, before: DeliveryStatus, late: DeliveryStatus
) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.deliveries.record(
        Outcomes(deliveries=[change(sent, endpoint, before, reason="before", attempted=False)])
    )
    due_at = START * 2 if late is PENDING else None
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, late, due_at, reason="late")]))
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.reason) == (AttemptStatus(before), "before")
    assert (seen.attempt_count, seen.next_attempt) == (1, None)
    assert await store.deliveries.due(endpoint.endpoint.id, START * 3, 10) == []


async def test_a_manual_success_cancels_what_was_scheduled(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, SUCCEEDED, manual_id="manual_1")]))
    assert await store.deliveries.due(endpoint.endpoint.id, START * 2, 10) == []
    assert await store.deliveries.endpoints_with_due(None, 10) == []


async def test_a_manual_failure_leaves_the_schedule_as_it_was(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint, deliver_at=START * 2)
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    await store.deliveries.record(
        Outcomes(deliveries=[change(sent, endpoint, FAILED, step=7, reason="manual", manual_id="manual_1")])
    )
    [due] = await store.deliveries.due(endpoint.endpoint.id, START * 3, 10)
    assert (due.due_at, due.step, due.attempt_count, due.manual_id) == (START * 2, 0, 1, None)
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert seen.reason is None


async def test_a_manual_failure_fails_a_delivery_that_nothing_is_scheduled_for(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(application=application)
    await store.deliveries.request_attempt(manual(sent, endpoint, "manual_1"))
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, FAILED, manual_id="manual_1")]))
    [seen] = await store.deliveries.list_by_message(sent.id, EVERYTHING)
    assert (seen.status, seen.attempt_count) == (AttemptStatus.FAIL, 1)
    assert await store.deliveries.endpoints_with_due(None, 10) == []


async def test_a_manual_attempt_is_fulfilled_alone(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    for manual_id in ("manual_1", "manual_2"):
        await store.deliveries.request_attempt(manual(sent, endpoint, manual_id))
    await store.deliveries.record(Outcomes(deliveries=[change(sent, endpoint, FAILED, manual_id="manual_1")]))
    due = await store.deliveries.due(endpoint.endpoint.id, START * 2, 10)
    assert [one.manual_id for one in due] == ["manual_2", None]


async def test_several_outcomes_of_a_delivery_in_a_batch_apply_in_order(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    first, second = await world.send(endpoint), await world.send(endpoint)
    await store.deliveries.record(
        Outcomes(
            deliveries=[
                change(first, endpoint, PENDING, START * 2, step=1),
                change(second, endpoint, FAILED, reason="second"),
                change(first, endpoint, PENDING, START * 3, step=2),
                change(first, endpoint, FAILED, step=3, reason="third"),
                change(first, endpoint, PENDING, START * 4, step=4, reason="too late"),
            ]
        )
    )
    [seen] = await store.deliveries.list_by_message(first.id, EVERYTHING)
    assert (seen.status, seen.reason, seen.attempt_count) == (AttemptStatus.FAIL, "third", 4)
    [seen] = await store.deliveries.list_by_message(second.id, EVERYTHING)
    assert (seen.status, seen.reason, seen.attempt_count) == (AttemptStatus.FAIL, "second", 1)


async def test_a_large_batch_of_outcomes(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [world.new_message(application.id) for _ in range(700)]
    await store.messages.add([addressed(message, endpoint) for message in sent])
    await store.deliveries.record(
        Outcomes(
            attempts=[world.new_attempt(message, endpoint) for message in sent],
            deliveries=[change(message, endpoint, SUCCEEDED) for message in sent],
        )
    )
    assert await store.deliveries.due(endpoint.endpoint.id, START * 2, 10) == []
    assert await store.attempts.count(endpoint.endpoint.id, "", "z") == {AttemptStatus.SUCCESS: 700}


async def test_the_condition_of_an_endpoint_is_recorded(store: Store, world: World) -> None:
    application, first = await world.pair()
    second = await world.endpoint(application)
    failing = EndpointCondition(health=Health(START, START + 1, warned=True))
    disabled = EndpointCondition(health=Health(START, START + 2), disabled_at=START + 3, disabled_reason="gone")
    conditions = {first.endpoint.id: failing, second.endpoint.id: disabled}
    await store.deliveries.record(Outcomes(conditions=conditions))
    loaded = await store.endpoints.load(first.endpoint.id)
    assert loaded is not None
    assert (loaded.health, loaded.endpoint.disabled) == (failing.health, False)
    loaded = await store.endpoints.load(second.endpoint.id)
    assert loaded is not None
    assert (loaded.health, loaded.endpoint.disabled_at) == (disabled.health, to_datetime(START + 3))
    assert (loaded.endpoint.disabled, loaded.endpoint.disabled_reason) == (True, "gone")
    await store.deliveries.record(Outcomes(conditions={first.endpoint.id: EndpointCondition()}))
    loaded = await store.endpoints.load(first.endpoint.id)
    assert loaded is not None
    assert loaded.health == Health()


async def test_a_disabled_endpoint_stays_as_it_is(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    disabled = EndpointCondition(health=Health(START, START), disabled_at=START, disabled_reason="first")
    await store.endpoints.update(endpoint.endpoint.id, EndpointChanges(condition=disabled), world.tick())
    before = await store.endpoints.load(endpoint.endpoint.id)
    for condition in (EndpointCondition(), EndpointCondition(disabled_at=START + 9, disabled_reason="second")):
        await store.deliveries.record(Outcomes(conditions={endpoint.endpoint.id: condition}))
    assert await store.endpoints.load(endpoint.endpoint.id) == before


async def test_operational_webhooks_are_stored_with_the_batch(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint)
    webhook = world.new_message(application.id, event_type="endpoint.disabled")
    await store.deliveries.record(
        Outcomes(deliveries=[change(sent, endpoint, FAILED)], messages=[addressed(webhook, endpoint)])
    )
    assert await store.messages.get(application.id, webhook.id) == kept(webhook)
    assert [due.message_id for due in await store.deliveries.due(endpoint.endpoint.id, world.now, 10)] == [webhook.id]


async def test_a_batch_is_recorded_whole_or_not_at_all(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = await world.send(endpoint)
    stranger = world.new_endpoint(application)
    before = await store.deliveries.get(sent.id, endpoint.endpoint.id)
    with pytest.raises(StoreError):
        await store.deliveries.record(
            Outcomes(
                attempts=[world.new_attempt(sent, endpoint)],
                deliveries=[change(sent, endpoint, SUCCEEDED)],
                conditions={endpoint.endpoint.id: EndpointCondition(disabled_at=1)},
                messages=[addressed(world.new_message(application.id), stranger)],
            )
        )
    assert await store.deliveries.get(sent.id, endpoint.endpoint.id) == before
    assert await store.attempts.list_by_message(sent.id, EVERYTHING, AttemptFilter()) == []
    assert await store.endpoints.load(endpoint.endpoint.id) == endpoint
    assert len(await store.messages.list(application.id, EVERYTHING, MessageFilter())) == 1


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    await store.deliveries.record(Outcomes())


@dataclass
class Model:
    """A delivery by the words of the seam."""

    status: DeliveryStatus = PENDING
    due_at: int | None = START
    step: int = 0
    reason: str | None = None
    attempt_count: int = 0

    def apply(
        self, status: DeliveryStatus, due_at: int | None, step: int, reason: str | None, by_hand: bool, attempted: bool
    ) -> None:
        self.attempt_count += attempted
        scheduled = self.due_at is not None
        if status is SUCCEEDED or (self.status is PENDING and not (by_hand and scheduled)):
            self.status, self.due_at, self.step, self.reason = status, due_at, step, reason


OUTCOME = st.tuples(
    st.integers(0, 2),
    st.sampled_from(DeliveryStatus),
    st.integers(START + 1, START + 9),
    st.integers(0, 8),
    st.none() | st.sampled_from(["one", "two"]),
    st.booleans(),
    st.booleans(),
)


@given(batches=st.lists(st.lists(OUTCOME, max_size=6), max_size=5), scheduled=st.booleans())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_deliveries_behave_as_the_seam_says(
    store: Store,
    world: World,
    batches: list[list[tuple[int, DeliveryStatus, int, int, str | None, bool, bool]]],
    scheduled: bool,
) -> None:
    application, endpoint = await world.pair()
    models = [Model(due_at=START if scheduled else None) for _ in range(3)]
    sent = []
    for number in range(3):
        if scheduled:
            sent.append(await world.send(endpoint, deliver_at=START))
        else:
            sent.append(await world.send(application=application))
            await store.deliveries.request_attempt(manual(sent[-1], endpoint, f"asked_{number}"))
    for batch in batches:
        changes = []
        for which, status, instant, step, reason, by_hand, attempted in batch:
            due_at = instant if status is PENDING else None
            models[which].apply(status, due_at, step, reason, by_hand, attempted)
            changes.append(
                change(
                    sent[which],
                    endpoint,
                    status,
                    due_at,
                    step=step,
                    reason=reason,
                    manual_id="manual" if by_hand else None,
                    attempted=attempted,
                )
            )
        await store.deliveries.record(Outcomes(deliveries=changes))
    for message, model in zip(sent, models, strict=True):
        found = await store.deliveries.get(message.id, endpoint.endpoint.id)
        [seen] = await store.deliveries.list_by_message(message.id, EVERYTHING)
        assert found is not None
        assert (found.due_at, found.step, found.attempt_count) == (model.due_at or 0, model.step, model.attempt_count)
        expected = AttemptStatus(model.status)
        if expected is AttemptStatus.PENDING and model.attempt_count:
            expected = AttemptStatus.SENDING
        assert (seen.status, seen.reason, seen.attempt_count) == (expected, model.reason, model.attempt_count)
