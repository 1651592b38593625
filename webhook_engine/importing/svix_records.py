"""Converts records of a Svix server to records for the import. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from webhook_engine.importing.conversion import allowed_headers
from webhook_engine.importing.source import Item, Note
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedEndpoint,
    ImportedEventType,
    ImportedKey,
)

__all__ = ["SvixApplication", "SvixEndpoint", "SvixEventType", "application", "endpoint", "event_type"]


class SvixEventType(msgspec.Struct, rename="camel"):
    """An event type as the API of Svix shows it."""

    name: str
    description: str
    archived: bool = False
    deprecated: bool = False
    schemas: dict[str, Any] | None = None
    feature_flag: str | None = None
    feature_flags: list[str] | None = None
    group_name: str | None = None


class SvixApplication(msgspec.Struct, rename="camel"):
    """An application as the API of Svix shows it."""

    id: str
    name: str
    created_at: datetime
    uid: str | None = None
    rate_limit: int | None = None
    throttle_rate: int | None = None
    metadata: dict[str, str] = {}


class SvixEndpoint(msgspec.Struct, rename="camel"):
    """An endpoint as the API of Svix shows it."""

    id: str
    url: str
    created_at: datetime
    description: str = ""
    uid: str | None = None
    version: int = 1
    disabled: bool = False
    event_types: list[str] | None = None
    filter_types: list[str] | None = None
    channels: list[str] | None = None
    rate_limit: int | None = None
    throttle_rate: int | None = None
    metadata: dict[str, str] = {}
    filter: str | None = None


def event_type(found: SvixEventType) -> ImportedEventType:
    """An event type."""
    flags = found.feature_flags or ([] if found.feature_flag is None else [found.feature_flag])
    return ImportedEventType(
        name=found.name,
        description=found.description,
        archived=found.archived,
        deprecated=found.deprecated,
        schemas=found.schemas,
        feature_flags=tuple(flags),
        group_name=found.group_name,
    )


def application(found: SvixApplication) -> ImportedApplication:
    """An application, with the same id."""
    return ImportedApplication(
        id=found.id,
        uid=found.uid,
        name=found.name,
        throttle_rate=found.throttle_rate or found.rate_limit,
        metadata=found.metadata,
        created_at=found.created_at,
    )


def endpoint(
    found: SvixEndpoint,
    application_id: str,
    *,
    secret: str | None,
    old_keys: tuple[ImportedKey, ...] | None,
    headers: Mapping[str, str],
    hidden_headers: tuple[str, ...] = (),
) -> Iterator[Item]:
    """An endpoint with the same id, preceded by notes of what cannot be imported."""
    kept, left = allowed_headers(headers)
    for name, problem in left.items():
        yield Note(f"header of an endpoint cannot be sent from here: {problem}", f"{found.id} {name}")
    for name in hidden_headers:
        text = "header of an endpoint is hidden by the API; set it here by hand, or read the database instead"
        yield Note(text, f"{found.id} {name}")
    if found.filter:
        yield Note(
            "endpoint filters by payload, which there is no counterpart of: it gets all of its event types", found.id
        )
    event_types = found.filter_types if found.event_types is None else found.event_types
    yield ImportedEndpoint(
        application=application_id,
        id=found.id,
        uid=found.uid,
        url=found.url,
        description=found.description,
        event_types=tuple(sorted(event_types)) if event_types else None,
        channels=tuple(sorted(found.channels)) if found.channels else None,
        throttle_rate=found.throttle_rate or found.rate_limit,
        version=found.version,
        disabled=found.disabled,
        secret=secret,
        old_keys=old_keys,
        headers=kept,
        hidden_headers=hidden_headers,
        metadata=found.metadata,
        created_at=found.created_at,
    )
