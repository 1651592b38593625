from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import World, ids

from webhook_engine.clock import to_datetime
from webhook_engine.ids import timestamp_of
from webhook_engine.model import Attempt, AttemptStatus, TriggerType
from webhook_engine.store.records import AttemptFilter, Outcomes, RecordedAttempt, Span
from webhook_engine.store.seam import Store

EVERYTHING = Span(limit=1_000)


def as_kept(recorded: RecordedAttempt) -> Attempt:
    return Attempt(
        id=recorded.id,
        msg_id=recorded.message_id,
        endpoint_id=recorded.endpoint_id,
        url=recorded.url,
        status=recorded.status,
        response=recorded.response,
        response_status_code=recorded.status_code,
        response_duration_ms=recorded.duration_ms,
        trigger_type=recorded.trigger,
        timestamp=to_datetime(timestamp_of(recorded.id)),
        request_headers=recorded.request_headers,
        failure=recorded.failure,
    )


async def test_an_attempt_comes_back_as_it_was(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    recorded = world.new_attempt(
        sent,
        endpoint,
        url="https://example.com/ü",
        status=AttemptStatus.FAIL,
        status_code=503,
        duration_ms=15_000,
        trigger=TriggerType.MANUAL,
        response="a\x00b \U0001f600 'c' \"d\"\n",
        request_headers={"x-a": "ü\x00"},
    )
    await store.deliveries.record(Outcomes(attempts=[recorded]))
    assert await store.attempts.get(sent.id, recorded.id) == as_kept(recorded)
    assert await store.attempts.list_by_message(sent.id, EVERYTHING, AttemptFilter()) == [as_kept(recorded)]
    assert await store.attempts.list_by_endpoint(endpoint.endpoint.id, EVERYTHING, AttemptFilter()) == [
        as_kept(recorded)
    ]
    assert await store.attempts.get("msg_other", recorded.id) is None
    assert await store.attempts.get(sent.id, "atmpt_other") is None


@given(responses=st.lists(st.text(max_size=50), min_size=1, max_size=10))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_responses_are_kept_as_they_were(store: Store, world: World, responses: list[str]) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    recorded = [world.new_attempt(sent, endpoint, response=response) for response in responses]
    await store.deliveries.record(Outcomes(attempts=recorded))
    listed = await store.attempts.list_by_message(sent.id, Span(descending=False), AttemptFilter())
    assert listed == [as_kept(one) for one in recorded]


async def test_text_that_is_no_text_does_not_stop_the_rest(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    recorded = world.new_attempt(sent, endpoint, response="a\ud800b")
    await store.deliveries.record(Outcomes(attempts=[recorded]))
    found = await store.attempts.get(sent.id, recorded.id)
    assert found is not None
    assert found.response == "a?b"


@pytest.mark.parametrize("descending", [True, False])
async def test_attempts_are_filtered_in_every_combination(store: Store, world: World, descending: bool) -> None:
    application = await world.application()
    endpoints = [await world.endpoint(application) for _ in range(2)]
    messages = [
        await world.send(*endpoints, event_type=event_type, channels=channels, tags=tags)
        for event_type, channels, tags in itertools.product(("a", "b"), (None, ("x",)), (None, ("t",)))
    ]
    by_id = {message.id: message for message in messages}
    codes = (0, 99, 100, 200, 299, 404, 500)
    made = [
        world.new_attempt(
            message,
            endpoints[number % 2],
            status_code=code,
            status=AttemptStatus.SUCCESS if 200 <= code < 300 else AttemptStatus.FAIL,
        )
        for number, (message, code) in enumerate(itertools.product(messages, codes))
    ]
    await store.deliveries.record(Outcomes(attempts=made))
    low, high = made[3].id, made[-4].id

    def expected(where: AttemptFilter, limit: int, *, message_id: str | None, endpoint_id: str | None) -> list[str]:
        found = [
            one.id
            for one in made
            if low < one.id < high
            and (message_id is None or one.message_id == message_id)
            and (endpoint_id is None or one.endpoint_id == endpoint_id)
            and (where.status is None or one.status is where.status)
            and (where.status_code_class is None or 0 <= one.status_code - where.status_code_class <= 99)
            and (where.event_types is None or by_id[one.message_id].event_type in where.event_types)
            and (where.channel is None or where.channel in (by_id[one.message_id].channels or ()))
            and (where.tag is None or where.tag in (by_id[one.message_id].tags or ()))
        ]
        return (found[::-1] if descending else found)[:limit]

    for status, code_class, event_types, channel, tag in itertools.product(
        (None, AttemptStatus.SUCCESS, AttemptStatus.FAIL, AttemptStatus.SENDING),
        (None, 0, 200, 400),
        (None, ("a",), ("a", "b")),
        (None, "x"),
        (None, "t"),
    ):
        where = AttemptFilter(
            status=status, status_code_class=code_class, event_types=event_types, channel=channel, tag=tag
        )
        for limit in (2, 1_000):
            span = Span(low=low, high=high, descending=descending, limit=limit)
            endpoint_id = endpoints[0].endpoint.id
            listed = await store.attempts.list_by_endpoint(endpoint_id, span, where)
            assert ids(listed) == expected(where, limit, message_id=None, endpoint_id=endpoint_id), where
            for of_endpoint in (None, endpoint_id):
                message_id = messages[1].id
                listed = await store.attempts.list_by_message(
                    message_id,
                    span,
                    AttemptFilter(
                        status=status,
                        status_code_class=code_class,
                        event_types=event_types,
                        channel=channel,
                        tag=tag,
                        endpoint_id=of_endpoint,
                    ),
                )
                assert ids(listed) == expected(where, limit, message_id=message_id, endpoint_id=of_endpoint), where


async def test_attempts_are_counted_between_both_ends(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    other = await world.endpoint(application)
    sent = await world.send(endpoint, other)
    statuses = [AttemptStatus.SUCCESS, AttemptStatus.FAIL, AttemptStatus.FAIL, AttemptStatus.SUCCESS]
    made = [world.new_attempt(sent, endpoint, status=status) for status in statuses]
    await store.deliveries.record(Outcomes(attempts=[*made, world.new_attempt(sent, other)]))
    endpoint_id = endpoint.endpoint.id
    count = store.attempts.count
    assert await count(endpoint_id, made[0].id, made[3].id) == {AttemptStatus.SUCCESS: 2, AttemptStatus.FAIL: 2}
    assert await count(endpoint_id, made[1].id, made[2].id) == {AttemptStatus.FAIL: 2}
    assert await count(endpoint_id, made[0].id, made[0].id) == {AttemptStatus.SUCCESS: 1}
    assert await count("ep_none", "", "z") == {}


async def test_an_expunged_response_is_gone(store: Store, world: World) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    recorded = [world.new_attempt(sent, endpoint, response="secret") for _ in range(2)]
    await store.deliveries.record(Outcomes(attempts=recorded))
    assert await store.attempts.expunge(sent.id, recorded[0].id) is True
    assert await store.attempts.expunge(sent.id, "atmpt_none") is False
    listed = await store.attempts.list_by_message(sent.id, Span(descending=False), AttemptFilter())
    assert [one.response for one in listed] == ["EXPUNGED", "secret"]


@pytest.mark.parametrize("descending", [True, False])
async def test_an_edge_tells_where_a_part_of_the_list_ends(store: Store, world: World, descending: bool) -> None:
    _, endpoint = await world.pair()
    sent = await world.send(endpoint)
    made = [
        world.new_attempt(sent, endpoint, status=AttemptStatus.FAIL if number % 3 else AttemptStatus.SUCCESS)
        for number in range(9)
    ]
    await store.deliveries.record(Outcomes(attempts=made))
    span = Span(descending=descending)
    for status in (None, AttemptStatus.SUCCESS, AttemptStatus.FAIL):
        keys = [one.id for one in made if status in (None, one.status)][:: -1 if descending else 1]
        for count in (1, len(keys) - 1):
            edge = await store.attempts.edge(endpoint.endpoint.id, status, span, count)
            assert edge == (keys[count - 1], keys[count])
        assert await store.attempts.edge(endpoint.endpoint.id, status, span, len(keys)) is None
