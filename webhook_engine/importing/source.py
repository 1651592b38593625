"""What a source yields: records to import, one by one, and notes on what cannot be imported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from webhook_engine.errors import WebhookEngineError
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedEndpoint,
    ImportedEventType,
    ImportedMessage,
)

__all__ = ["Item", "Note", "Source", "SourceError"]


class SourceError(WebhookEngineError):
    """The source cannot be read: wrong address or credentials, another product, or a lost connection."""


class Note(msgspec.Struct, frozen=True):
    """Something that cannot be imported, or not unchanged."""

    text: str
    """What and why, the same text for every case; without secrets."""
    about: str
    """The id in the source of what it is about."""


Item = ImportedEventType | ImportedApplication | ImportedEndpoint | ImportedMessage | Note


class Source(Protocol):
    """Another server. It is read page by page: at most one page is in memory at once."""

    name: str
    """The product and its address, for people."""

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """Yield everything: event types first, then each application before what belongs to it.

        With ``messages_since``, also the messages created since then. Raises ``SourceError``.
        """
        ...
