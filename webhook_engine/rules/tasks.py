"""The kinds of background tasks, with the names that clients use."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TaskKind"]


class TaskKind(StrEnum):
    """What a background task does."""

    RECOVER = "endpoint.recover"
    """Schedule the failed deliveries of an endpoint again."""
    REPLAY = "endpoint.replay"
    """Create deliveries for the messages that an endpoint never had a delivery for."""
    BULK_REPLAY = "endpoint.bulk-replay"
    """Schedule again the settled deliveries of an endpoint that match a filter."""
    PURGE = "application.purge_content"
    """Delete the payloads of an application."""
    USAGE = "application.stats"
    """Count the deliveries of each application."""
    EVENT_TYPES = "event-type.aggregate"
    """List the event types in the filters of endpoints."""
