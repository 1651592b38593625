"""What a source gives: things to take over, one after the other, and notes of what has no counterpart here."""

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
    """The source cannot be read: wrong address, wrong credentials, another product, or broken off; the text says."""


class Note(msgspec.Struct, frozen=True):
    """Something that cannot be taken over, or not as it was."""

    text: str
    """What and why, the same for all that it happens to; without secrets."""
    about: str
    """Which one, by its id in the source."""


Item = ImportedEventType | ImportedApplication | ImportedEndpoint | ImportedMessage | Note


class Source(Protocol):
    """Another server. It is read page by page: no more than a page is in memory at once."""

    name: str
    """For people: the product, and where it is."""

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """Everything: event types first, then each application before what belongs to it.

        With ``messages_since`` the messages that were created since then too. Raises ``SourceError``.
        """
        ...
