"""Which endpoints get a message. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable

from webhook_engine.model import Endpoint
from webhook_engine.store.records import StoredEndpoint

__all__ = ["matches", "recipients"]


def matches(endpoint: Endpoint, event_type: str, channels: Iterable[str] | None) -> bool:
    """Whether the endpoint's filters let a message through.

    An endpoint without a filter takes everything. An endpoint with channels takes only messages that share one;
    a message without channels shares none.
    """
    if endpoint.event_types is not None and event_type not in endpoint.event_types:
        return False
    return endpoint.channels is None or not set(endpoint.channels).isdisjoint(channels or ())


def recipients(endpoints: Iterable[StoredEndpoint], event_type: str, channels: Iterable[str] | None) -> list[str]:
    """The ids of the enabled endpoints that a new message goes to."""
    return [
        stored.endpoint.id
        for stored in endpoints
        if not stored.endpoint.disabled and matches(stored.endpoint, event_type, channels)
    ]
