"""Records of another server in the form in which they are imported, whatever the source.

Ids, dates and secrets are those of the source. Each record is checked when it is imported, so that an invalid one is
refused alone.
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
    """Kinds of records, in the order of import: each kind may refer to earlier ones."""

    EVENT_TYPE = "event type"
    APPLICATION = "application"
    ENDPOINT = "endpoint"
    MESSAGE = "message"


class ImportStatus(StrEnum):
    """The result for one record, or in a dry run the result that it would have."""

    CREATED = "created"
    UPDATED = "updated"
    SAME = "same"
    """It exists here already, equal to the source."""
    DIFFERENT = "different"
    """It exists here already, differs, and was left unchanged."""
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
    """Only its name is known, so an event type that exists here already counts as equal."""


class ImportedApplication(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An application, addressed by its id if that has our form, otherwise by its uid."""

    name: str
    id: str | None = None
    uid: str | None = None
    throttle_rate: int | None = None
    metadata: dict[str, str] = {}
    created_at: datetime | None = None


class ImportedKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A replaced signing secret, and until when messages are signed with it too."""

    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"ImportedKey(secret=…, expires_at={self.expires_at!r})"


class ImportedEndpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint, addressed as an application is. ``application`` is an id or uid."""

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
    """``None``: the source does not give it, and a new one is generated."""
    old_keys: tuple[ImportedKey, ...] | None = None
    """Newest first; ``None``: the source does not give them."""
    headers: dict[str, str] = {}
    hidden_headers: tuple[str, ...] = ()
    """Names of headers whose values the source does not give; existing values of these headers stay."""
    metadata: dict[str, str] = {}
    options: dict[str, Any] = {}
    """Further settings, by the names of :class:`~webhook_engine.rules.endpoint_options.OptionValues`."""
    created_at: datetime | None = None

    def __repr__(self) -> str:
        return f"ImportedEndpoint({self.id or self.uid!r} of {self.application!r})"


class ImportedMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as it was accepted by the source; importing it sends nothing. ``application`` is an id or uid."""

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
    """Records to import, each on its own."""

    event_types: Sequence[ImportedEventType] = ()
    applications: Sequence[ImportedApplication] = ()
    endpoints: Sequence[ImportedEndpoint] = ()
    messages: Sequence[ImportedMessage] = ()


class ImportOutcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The result for one record."""

    kind: Kind
    key: str
    """Its id, uid or name in the source."""
    status: ImportStatus
    id: str | None = None
    """Its id here; for an event type its name."""
    differs: tuple[str, ...] = ()
    """The fields that differ here, or differed until it was updated."""
    problem: str | None = None
    """Why it was refused."""
