"""Messages and attempts: accepting, listing, sending again, taking away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from receivers import Receiver
from resources.calls import HOUR, send

from webhook_engine import (
    ConflictError,
    Engine,
    ManualClock,
    PayloadUnavailableError,
    ValidationError,
    event,
)
from webhook_engine.clock import to_datetime
from webhook_engine.model import DeliveryStatus
from webhook_engine.resources import pagination


async def test_a_message_is_returned_and_kept_as_given(engine: Engine, clock: ManualClock) -> None:
    made = await send(engine, event_id="e1", payload='{ "a": 1.0 }', channels=["c"], tags=["t"])
    assert (made.payload, made.channels, made.tags) == (b'{ "a": 1.0 }', ("c",), ("t",))
    assert made.timestamp == to_datetime(clock.now())
    assert await engine.messages.get("acme", made.id) == await engine.messages.get("acme", "e1") == made
    assert (await engine.messages.get("acme", made.id, with_content=False)).payload is None


async def test_the_exact_bytes_are_delivered(engine: Engine, receiver) -> None:
    await engine.endpoints.create("acme", url=receiver.url)
    for payload in (b'{ "a" : 1.0 }', b"\xff\x00", {"b": 1, "a": "ü"}):
        await send(engine, payload=payload)
    assert receiver.bodies == [b'{ "a" : 1.0 }', b"\xff\x00", '{"b":1,"a":"ü"}'.encode()]


def types_sent(receiver) -> list[str]:
    return [value for request in receiver.requests for value in request.headers.getall("content-type")]


async def test_a_payload_is_sent_as_what_it_is_said_to_be(engine: Engine, receiver) -> None:
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    made = await send(engine, payload="<x/>", content_type="application/xml")
    await engine.attempts.resend("acme", made.id, endpoint.id)
    await engine.join(5)
    plain = await send(engine)
    assert types_sent(receiver) == ["application/xml", "application/xml", "application/json"]
    assert (made.content_type, plain.content_type) == ("application/xml", None)
    assert await engine.messages.get("acme", made.id) == made
    assert [one.content_type for one in (await engine.messages.list("acme")).data] == [None, "application/xml"]
    for message, sent in ((made, "application/xml"), (plain, "application/json")):
        for attempt in (await engine.attempts.list_by_message("acme", message.id)).data:
            assert attempt.request_headers["content-type"] == sent


async def test_a_retry_and_a_replay_are_sent_as_the_same(engine: Engine, receiver, clock: ManualClock) -> None:
    later = clock.now() + 1_000_000
    made = await send(engine, payload="a;b", content_type="text/csv; header=absent", deliver_at=to_datetime(later))
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    await engine.endpoints.replay_missing("acme", endpoint.id, to_datetime(clock.now()) - HOUR)
    receiver.answer(500)
    await engine.join(5)
    clock.advance(HOUR)
    await engine.join(5)
    receiver.answer(200)
    await engine.endpoints.recover("acme", endpoint.id, to_datetime(clock.now()) - 3 * HOUR)
    await engine.join(5)
    assert set(types_sent(receiver)) == {"text/csv; header=absent"}
    assert receiver.bodies[-1] == made.payload


@pytest.mark.parametrize("wrong", ["", " text/plain", "text/plain\r\nx: y", "té/xt", 5, b"text/plain", "a" * 4097])
async def test_an_impossible_content_type_is_refused(engine: Engine, wrong: object) -> None:
    with pytest.raises(ValidationError) as caught:
        await engine.messages.create("acme", event_type="a", payload={}, content_type=wrong)  # type: ignore[arg-type]
    assert caught.value.field == "content_type"


async def test_an_event_id_is_accepted_once(engine: Engine) -> None:
    results = await asyncio.gather(
        *(engine.messages.create("acme", event_type="a", payload={}, event_id="e") for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ConflictError) for result in results) == 9
    assert len((await engine.messages.list("acme")).data) == 1


async def test_messages_of_one_instant_keep_their_order(engine: Engine) -> None:
    made = [(await engine.messages.create("acme", event_type="a", payload={})).id for _ in range(20)]
    assert made == sorted(made)
    assert [one.id for one in (await engine.messages.list("acme")).data] == made[::-1]


async def test_messages_are_filtered(engine: Engine) -> None:
    plain = await send(engine)
    other = await send(engine, event_type="b", channels=["c"], tags=["t"])

    async def listed(**filters: object) -> list[str]:
        page = await engine.messages.list("acme", **filters)
        walked = [one.id async for one in engine.messages.iterate("acme", **filters)]
        assert walked == [one.id for one in page.data]
        return walked

    assert await listed() == [other.id, plain.id]
    assert await listed(event_types=["a", "x"]) == [plain.id]
    assert await listed(channel="c") == await listed(tag="t") == [other.id]
    assert [one.payload for one in (await engine.messages.list("acme", with_content=False)).data] == [None, None]


@pytest.mark.parametrize(
    "filters",
    [
        {"event_types": []},
        {"event_types": [""]},
        {"event_types": "a"},
        {"channel": "a b"},
        {"channel": 5},
        {"tag": ""},
        {"limit": 251},
        {"before": 5},
        {"iterator": "ep_x"},
        {"with_content": 1},
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(engine: Engine, filters: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        await engine.messages.list("acme", **filters)  # type: ignore[arg-type]


async def test_a_walk_has_no_window(engine: Engine, clock: ManualClock) -> None:
    old = await send(engine)
    clock.advance(timedelta(days=80))
    new = await send(engine)
    clock.advance(timedelta(days=15))
    assert [one.id for one in (await engine.messages.list("acme")).data] == [new.id]
    assert [one.id async for one in engine.messages.iterate("acme")] == [new.id, old.id]
    assert [one.id async for one in engine.messages.iterate("acme", after=new.timestamp)] == [new.id]
    assert [one.id async for one in engine.messages.iterate("acme", before=new.timestamp)] == [old.id]


async def test_a_cancelled_message_is_not_delivered(engine: Engine, receiver, clock: ManualClock) -> None:
    await engine.endpoints.create("acme", url=receiver.url)
    message = await send(engine, deliver_at=to_datetime(clock.now()) + HOUR)
    assert await engine.messages.cancel("acme", message.id) == 1
    assert await engine.messages.cancel("acme", message.id) == 0
    clock.advance(2 * HOUR)
    await engine.join(5)
    assert receiver.bodies == []
    (row,) = (await engine.attempts.list_attempted_destinations("acme", message.id)).data
    assert row.status.value == DeliveryStatus.CANCELLED.value


async def test_an_expunged_message_stays_but_cannot_be_sent(engine: Engine, receiver) -> None:
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    message = await send(engine)
    await engine.messages.expunge_content("acme", message.id)
    await engine.messages.expunge_content("acme", message.id)
    assert (await engine.messages.get("acme", message.id)).payload is None
    with pytest.raises(PayloadUnavailableError):
        await engine.attempts.resend("acme", message.id, endpoint.id)


@event("invoice.paid")
@dataclass
class InvoicePaid:
    """An invoice was paid."""

    id: int


async def test_a_typed_event_is_sent_as_its_class_says(engine: Engine, receiver: Receiver) -> None:
    await engine.endpoints.create("acme", uid="typed", url=receiver.url)
    message = await engine.messages.create("acme", InvoicePaid(1), event_id="once")
    assert (message.event_type, message.payload, message.event_id) == ("invoice.paid", b'{"id":1}', "once")
    with pytest.raises(ValidationError, match="is no InvoicePaid"):
        await engine.messages.create("acme", InvoicePaid("1"))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="event_type"):
        await engine.messages.create("acme", payload={})
    await engine.join(timeout=5)
    assert receiver.bodies == [b'{"id":1}']


async def test_several_messages_are_accepted_at_once_or_none_of_them(engine: Engine) -> None:
    second = {"event_type": "a.b", "payload": {"n": 2}, "event_id": "two"}
    made = await engine.messages.create_many("acme", [InvoicePaid(1), second, InvoicePaid(3)], tags=["batch"])
    assert [one.payload for one in made] == [b'{"id":1}', b'{"n":2}', b'{"id":3}']
    assert {one.tags for one in made} == {("batch",)}
    assert [one.id for one in made] == sorted(one.id for one in made)
    wrong: list[tuple[object, str]] = [
        (InvoicePaid("x"), "events[1].event"),  # type: ignore[arg-type]
        ({"event_type": "a b", "payload": {}}, "events[1].event_type"),
        ({"event_type": "a.b", "payload": {}, "unknown": 1}, "events[1]"),
        (5, "events[1].event"),
    ]
    for one, field in wrong:
        with pytest.raises(ValidationError) as caught:
            await engine.messages.create_many("acme", [InvoicePaid(4), one])
        assert caught.value.field == field
    with pytest.raises(ConflictError):
        await engine.messages.create_many("acme", [second, InvoicePaid(5)])
    stored = [one.payload async for one in engine.messages.iterate("acme")]
    assert stored == [b'{"id":5}', b'{"id":3}', b'{"n":2}', b'{"id":1}']
    assert await engine.messages.create_many("acme", []) == []


async def test_a_page_of_what_is_rare_is_short_and_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    rare = [(await send(engine, channels=["rare"] if not number % 7 else None)).id for number in range(20)][::7]
    monkeypatch.setattr(pagination, "LOOKED_AT", 4)
    pages, iterator = [], None
    while not pages or not pages[-1].done:
        pages.append(await engine.messages.list("acme", channel="rare", iterator=iterator))
        iterator = pages[-1].iterator
    assert [[one.id for one in page.data] for page in pages] == [[], [rare[2]], [], [rare[1]], [rare[0]]]
    everything = await engine.messages.list("acme", limit=30)
    assert (len(everything.data), everything.done) == (20, True)
