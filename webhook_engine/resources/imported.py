"""What another server kept, as it is taken over: the form between any source and this engine.

Ids, dates and secrets are those of the source. What a field says is checked where it is taken over, so that one thing
that is not allowed here costs that thing and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

__all__ = [
    "ImportOutcome",
    "ImportStatus",
    "ImportedApplication",
    "ImportedBatch",
    "ImportedEndpoint",
    "ImportedEventType",
    "ImportedKey",
    "ImportedMessage",
    "Kind",
]


class Kind(StrEnum):
    """What is taken over, in the order in which one needs the other."""

    EVENT_TYPE = "event type"
    APPLICATION = "application"
    ENDPOINT = "endpoint"
    MESSAGE = "message"


class ImportStatus(StrEnum):
    """What became of one thing, or in a dry run would become of it."""

    CREATED = "created"
    UPDATED = "updated"
    SAME = "same"
    """It was here already, as it is there."""
    DIFFERENT = "different"
    """It was here already, and was left as it is here."""
    REFUSED = "refused"


class ImportedEventType(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event type, addressed by its name."""

    name: str
    description: str = ""
    archived: bool = False
    deprecated: bool = False
    schemas: dict[str, Any] | None = None
    feature_flags: tuple[str, ...] = ()
    group_name: str | None = None
    only_named: bool = False
    """Nothing but its name is known, so that whatever is here of it already is as good."""


class ImportedApplication(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An application, addressed by its id where it has one of our form, or else by its uid."""

    name: str
    id: str | None = None
    uid: str | None = None
    throttle_rate: int | None = None
    metadata: dict[str, str] = {}
    created_at: datetime | None = None


class ImportedKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A signing secret that was replaced, and until when messages are signed with it too."""

    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"ImportedKey(secret=…, expires_at={self.expires_at!r})"


class ImportedEndpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint of the application with this id or uid, addressed as an application is."""

    application: str
    url: str
    id: str | None = None
    uid: str | None = None
    description: str = ""
    event_types: tuple[str, ...] | None = None
    """Registered ones, archived or not; ``None`` for all."""
    channels: tuple[str, ...] | None = None
    throttle_rate: int | None = None
    version: int = 1
    disabled: bool = False
    secret: str | None = None
    """``None``: the source does not tell, and a new one is made."""
    old_keys: tuple[ImportedKey, ...] | None = None
    """Newest first; ``None``: the source does not tell."""
    headers: dict[str, str] = {}
    hidden_headers: tuple[str, ...] = ()
    """Names of headers whose values the source does not tell; what is here under these names stays."""
    metadata: dict[str, str] = {}
    options: dict[str, Any] = {}
    """What else it asks for, by the names of :class:`~webhook_engine.rules.endpoint_options.OptionValues`."""
    created_at: datetime | None = None

    def __repr__(self) -> str:
        return f"ImportedEndpoint({self.id or self.uid!r} of {self.application!r})"


class ImportedMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message of the application with this id or uid, as it was accepted by the source. Nothing is sent of it."""

    application: str
    id: str
    event_type: str
    payload: bytes
    event_id: str | None = None
    channels: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    content_type: str | None = None

    def __repr__(self) -> str:
        return f"ImportedMessage({self.id!r} of {self.application!r})"


class ImportedBatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Some things to take over, each by itself."""

    event_types: Sequence[ImportedEventType] = ()
    applications: Sequence[ImportedApplication] = ()
    endpoints: Sequence[ImportedEndpoint] = ()
    messages: Sequence[ImportedMessage] = ()


class ImportOutcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one of them."""

    kind: Kind
    key: str
    """Its id, uid or name in the source."""
    status: ImportStatus
    id: str | None = None
    """Its id here; for an event type its name."""
    differs: tuple[str, ...] = ()
    """The fields in which it is different here, or was until it was updated."""
    problem: str | None = None
    """Why it was refused."""
