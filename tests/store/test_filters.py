"""Which messages of an endpoint a filter lets through."""

from __future__ import annotations

import itertools

import pytest
from records import World, make_every_kind

from webhook_engine.model import AttemptStatus
from webhook_engine.store.records import DeliveryFilter, Span
from webhook_engine.store.seam import Store


@pytest.mark.parametrize("descending", [True, False])
async def test_messages_of_an_endpoint_are_filtered_in_every_combination(
    store: Store, world: World, descending: bool
) -> None:
    application, endpoint = await world.pair()
    made = await make_every_kind(store, world, endpoint)
    await world.send(await world.endpoint(application))
    low, high = made[2][0].id, made[-3][0].id
    for status, event_types, channel, tag in itertools.product(
        (None, *AttemptStatus), (None, ("a",), ("a", "b", "z")), (None, "x"), (None, "u")
    ):
        expected = [
            (message.id, is_status)
            for message, is_status in made
            if low < message.id < high
            and (status is None or is_status is status)
            and (event_types is None or message.event_type in event_types)
            and (channel is None or channel in (message.channels or ()))
            and (tag is None or tag in (message.tags or ()))
        ]
        where = DeliveryFilter(status=status, event_types=event_types, channel=channel, tag=tag)
        for limit in (3, 1_000):
            span = Span(low=low, high=high, descending=descending, limit=limit)
            listed = await store.deliveries.list_by_endpoint(endpoint.endpoint.id, span, where)
            in_order = expected[::-1] if descending else expected
            assert [(one.message.id, one.status) for one in listed] == in_order[:limit], where
