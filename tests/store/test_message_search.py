"""Looking for messages: what fits is found, and each look is bounded and says how far it went."""

from __future__ import annotations

from records import World, change

from webhook_engine.model import AttemptStatus, DeliveryStatus
from webhook_engine.store.records import MessageSearch, Outcomes, Span
from webhook_engine.store.seam import Store

ALL = 1_000
BYTES = 1 << 20


async def test_words_in_payloads_are_found_newest_first(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    payloads = (b'{"name":"Ada Byron"}', b'{"name":"Grace"}', b'{"name":"ADA B"}', b"\xff\x00ada b")
    sent = [await world.send(endpoint, payload=payload) for payload in payloads]
    gone = await world.send(endpoint, payload=b"ada b")
    await store.messages.expunge(gone.id)
    found = await store.messages.search(application.id, Span(), MessageSearch(text="ada b"), ALL, BYTES)
    assert found[0] in ([sent[2].id, sent[0].id], [sent[3].id, sent[2].id, sent[0].id])
    assert found[1] is None
    other = await world.application()
    assert await store.messages.search(other.id, Span(), MessageSearch(text="ada"), ALL, BYTES) == ((), None)


async def test_a_look_ends_where_it_is_bounded_and_goes_on_from_there(store: Store, world: World) -> None:
    application, endpoint = await world.pair()
    sent = [await world.send(endpoint, payload=b"x" * 100) for _ in range(10)]
    newest = [one.id for one in reversed(sent)]
    for window, max_bytes, limit, found, last in (
        (4, BYTES, 50, newest[:4], newest[3]),
        (4, 250, 50, newest[:2], newest[1]),
        (4, 1, 50, newest[:1], newest[0]),
        (ALL, BYTES, 3, newest[:3], newest[2]),
        (ALL, BYTES, 10, newest, None),
        (10, BYTES, 50, newest, newest[9]),
    ):
        where = MessageSearch(text="xx")
        assert await store.messages.search(application.id, Span(limit=limit), where, window, max_bytes) == (found, last)
    rest = await store.messages.search(application.id, Span(high=newest[7]), MessageSearch(), ALL, BYTES)
    assert rest == (newest[8:], None)
    assert await store.messages.search(application.id, Span(high=newest[9]), MessageSearch(), 10, BYTES) == ((), None)


async def test_messages_are_found_by_how_they_went(store: Store, world: World) -> None:
    application, first = await world.pair()
    second = await world.endpoint(application)
    one = await world.send(first, second)
    two = await world.send(first)
    await store.deliveries.record(
        Outcomes(
            attempts=[
                world.new_attempt(one, first),
                world.new_attempt(one, second, status=AttemptStatus.FAIL, status_code=404, failure="status"),
            ],
            deliveries=[
                change(one, first, DeliveryStatus.SUCCEEDED),
                change(one, second, DeliveryStatus.FAILED),
            ],
        )
    )
    here, there = (endpoint.endpoint.id for endpoint in (first, second))
    for where, found in (
        (MessageSearch(status=AttemptStatus.PENDING), [two.id]),
        (MessageSearch(status=AttemptStatus.FAIL), [one.id]),
        (MessageSearch(status=AttemptStatus.SUCCESS), []),
        (MessageSearch(status=AttemptStatus.SUCCESS, endpoint_ids=(here,)), [one.id]),
        (MessageSearch(endpoint_ids=(here,)), [two.id, one.id]),
        (MessageSearch(endpoint_ids=(there,)), [one.id]),
        (MessageSearch(status_codes=(400, 499)), [one.id]),
        (MessageSearch(status_codes=(404, 404), endpoint_ids=(here,)), []),
        (MessageSearch(failure="status"), [one.id]),
        (MessageSearch(failure="timeout"), []),
        (MessageSearch(event_types=("none.such",)), []),
    ):
        assert (await store.messages.search(application.id, Span(), where, ALL, BYTES))[0] == found, where
