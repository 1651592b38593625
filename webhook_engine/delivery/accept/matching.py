"""Which endpoints get a message. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from webhook_engine.delivery.accept.payload_filter import Content, PayloadFilter
from webhook_engine.model import Endpoint
from webhook_engine.rules.names import nearest
from webhook_engine.store.records import Routes, StoredEndpoint

__all__ = ["Obstacle", "Unsent", "filters_of", "keeping_order", "matches", "obstacle", "passes", "recipients"]

FILTERS = "filters"


class Obstacle(StrEnum):
    """Why an endpoint does not get a message."""

    DISABLED = "disabled"
    EVENT_TYPE = "eventType"
    CHANNELS = "channels"
    FILTER = "filter"
    LATER = "later"
    """It was added after the message."""
    EDITED = "edited"
    """It would get it now."""


class Unsent(msgspec.Struct, frozen=True):
    """That an endpoint does not get a message, and why."""

    obstacle: Obstacle
    condition: Mapping[str, object] | None = None
    """Of its filter: the first that does not hold."""


def matches(endpoint: Endpoint, event_type: str, channels: Iterable[str] | None) -> bool:
    """Whether the endpoint wants messages of this event type with these channels.

    An endpoint without event types takes all; ``invoice.*`` takes what begins with ``invoice.``. An endpoint with
    channels takes only messages that share one; a message without channels shares none.
    """
    if endpoint.event_types is not None and nearest(endpoint.event_types, event_type) is None:
        return False
    return endpoint.channels is None or not set(endpoint.channels).isdisjoint(channels or ())


def passes(endpoint: Endpoint, payload: bytes | None) -> bool:
    """Whether the endpoint's filter lets a payload through."""
    return endpoint.filter is None or PayloadFilter(endpoint.filter).passes(Content(payload))


def obstacle(
    endpoint: Endpoint, event_type: str, channels: Iterable[str] | None, content: Content | None
) -> Unsent | None:
    """Why the endpoint does not get such a message; ``None`` if it does, as far as that can be told without content."""
    if endpoint.disabled:
        return Unsent(Obstacle.DISABLED)
    if endpoint.event_types is not None and nearest(endpoint.event_types, event_type) is None:
        return Unsent(Obstacle.EVENT_TYPE)
    if not matches(endpoint, event_type, channels):
        return Unsent(Obstacle.CHANNELS)
    if endpoint.filter is not None and content is not None:
        condition = PayloadFilter(endpoint.filter).refused_by(content)
        return None if condition is None else Unsent(Obstacle.FILTER, condition)
    return None


def filters_of(routes: Routes) -> Mapping[str, PayloadFilter]:
    """The filters of the endpoints by id, made ready once."""
    made = routes.kept.get(FILTERS)
    if not isinstance(made, dict):
        made = routes.kept[FILTERS] = {
            stored.endpoint.id: PayloadFilter(stored.endpoint.filter)
            for stored in routes.endpoints
            if stored.endpoint.filter is not None
        }
    return made


def recipients(routes: Routes, event_type: str, channels: Iterable[str] | None, payload: bytes) -> list[str]:
    """The ids of the enabled endpoints that a new message goes to."""
    found = [
        stored.endpoint.id
        for stored in routes.endpoints
        if not stored.endpoint.disabled and matches(stored.endpoint, event_type, channels)
    ]
    filters = filters_of(routes)
    if not filters or not found:
        return found
    content = Content(payload)
    return [one for one in found if one not in filters or filters[one].passes(content)]


def keeping_order(endpoints: Iterable[StoredEndpoint], ids: Sequence[str]) -> Sequence[str]:
    """Those of these ids whose endpoints get their messages one at a time; mostly none."""
    ordered = {stored.endpoint.id for stored in endpoints if stored.endpoint.ordering is not None}
    return [endpoint_id for endpoint_id in ids if endpoint_id in ordered] if ordered else ()
