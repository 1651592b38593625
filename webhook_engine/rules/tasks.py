"""The kinds of background tasks, by the names that clients know them by."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TaskKind"]


class TaskKind(StrEnum):
    """What a background task does."""

    RECOVER = "endpoint.recover"
    """Schedule the failed deliveries of an endpoint again."""
    REPLAY = "endpoint.replay"
    """Make deliveries of the messages that an endpoint never had one of."""
    BULK_REPLAY = "endpoint.bulk-replay"
    """Schedule the settled deliveries of an endpoint again that pass a filter."""
    PURGE = "application.purge_content"
    """Delete the payloads of an application."""
    USAGE = "application.stats"
    """Count the deliveries of each application."""
    EVENT_TYPES = "event-type.aggregate"
    """List the event types in the filters of endpoints."""
