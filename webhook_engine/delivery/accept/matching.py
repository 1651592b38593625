"""Which endpoints get a message. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing
from webhook_engine.model import Endpoint
from webhook_engine.rules.names import nearest
from webhook_engine.store.records import Routes, StoredEndpoint

__all__ = [
    "Obstacle",
    "Plan",
    "Unsent",
    "candidates",
    "filters_of",
    "let_through",
    "matches",
    "obstacle",
    "plan_of",
    "recipients",
]

PLAN = "plan"


class Obstacle(StrEnum):
    """Why an endpoint does not get a message."""

    DISABLED = "disabled"
    EVENT_TYPE = "eventType"
    CHANNELS = "channels"
    FILTER = "filter"
    LATER = "later"
    """It was created after the message."""
    EDITED = "edited"
    """It was edited since, and would match now."""


class Unsent(msgspec.Struct, frozen=True):
    """Why an endpoint does not get a message."""

    obstacle: Obstacle
    condition: Mapping[str, object] | None = None
    """The first condition of its filter that does not hold."""


def matches(endpoint: Endpoint, event_type: str, channels: Iterable[str] | None) -> bool:
    """Whether the endpoint subscribes to messages of this event type with these channels.

    An endpoint without event types takes all; ``invoice.*`` takes what begins with ``invoice.``. An endpoint with
    channels takes only messages that share one; a message without channels shares none.
    """
    if endpoint.event_types is not None and nearest(endpoint.event_types, event_type) is None:
        return False
    return endpoint.channels is None or not set(endpoint.channels).isdisjoint(channels or ())


def obstacle(endpoint: Endpoint, event_type: str, channels: Iterable[str] | None) -> Unsent | None:
    """Why the endpoint does not get such a message; ``None`` if it matches as far as its payload filter allows."""
    if endpoint.disabled:
        return Unsent(Obstacle.DISABLED)
    if endpoint.event_types is not None and nearest(endpoint.event_types, event_type) is None:
        return Unsent(Obstacle.EVENT_TYPE)
    if not matches(endpoint, event_type, channels):
        return Unsent(Obstacle.CHANNELS)
    return None


class Plan(msgspec.Struct, frozen=True):
    """The routing data of an application, prepared once for all its messages."""

    enabled: Sequence[tuple[str, Endpoint | None]]
    """The ids of the enabled endpoints, each with the endpoint itself if it does not match every message."""
    filters: Mapping[str, PayloadFilter]
    ordered: frozenset[str]
    """The ids of endpoints with ``ordering``."""
    shards: Mapping[str, int]


def plan_of(routes: Routes) -> Plan:
    """The plan for these routes."""
    made = routes.kept.get(PLAN)
    if not isinstance(made, Plan):
        made = routes.kept[PLAN] = _plan(routes.endpoints)
    return made


def _plan(endpoints: Sequence[StoredEndpoint]) -> Plan:
    every = [stored.endpoint for stored in endpoints]
    return Plan(
        [
            (one.id, None if one.event_types is None and one.channels is None else one)
            for one in every
            if not one.disabled
        ],
        {one.id: PayloadFilter(one.filter) for one in every if one.filter is not None},
        frozenset(one.id for one in every if one.ordering is not None),
        {stored.endpoint.id: stored.shard for stored in endpoints},
    )


def candidates(plan: Plan, event_type: str, channels: Iterable[str] | None) -> list[str]:
    """The ids of the enabled endpoints that a new message goes to if it passes their filters."""
    return [one for one, asks in plan.enabled if asks is None or matches(asks, event_type, channels)]


def filters_of(plan: Plan, ids: Iterable[str]) -> Mapping[str, PayloadFilter]:
    """The filters of the endpoints that have one."""
    return {one: plan.filters[one] for one in ids if one in plan.filters} if plan.filters else {}


def recipients(plan: Plan, event_type: str, channels: Iterable[str] | None, payload: bytes) -> list[str]:
    """The ids of the enabled endpoints that a new message goes to."""
    found = candidates(plan, event_type, channels)
    filters = filters_of(plan, found)
    return let_through(found, filters, passing(filters.values(), payload)) if filters else found


def let_through(ids: Iterable[str], filters: Iterable[str], passing: Iterable[bool]) -> list[str]:
    """The ids without those whose filter the payload does not pass."""
    refusing = {one for one, passes in zip(filters, passing, strict=True) if not passes}
    return [one for one in ids if one not in refusing]
