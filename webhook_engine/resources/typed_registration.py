"""What a typed event makes of its event type: the fields to register, and what of it would break consumers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict

from webhook_engine.rules.schema_changes import breaking_changes
from webhook_engine.typed_events import Declaration

__all__ = ["EventTypeFields", "Registered", "broken_by", "fields_of"]


class EventTypeFields(TypedDict):
    """What is registered of a typed event."""

    description: str
    deprecated: bool
    archived: bool
    group_name: str | None
    schemas: Mapping[str, object]


class Registered(Protocol):
    """What is registered already under the name of a typed event."""

    @property
    def group_name(self) -> str | None:
        """Under which heading it is shown."""
        ...

    @property
    def schemas(self) -> Mapping[str, object] | None:
        """Its schemas, by version."""
        ...


def fields_of(declaration: Declaration, registered: Registered | None) -> EventTypeFields:
    """The fields of the event type: those of the class, with the schemas of the other versions that there are."""
    schemas = (registered.schemas or {}) if registered else {}
    group_name = declaration.group_name
    return EventTypeFields(
        description=declaration.description,
        deprecated=declaration.deprecated,
        archived=False,
        group_name=registered.group_name if registered and group_name is None else group_name,
        schemas={**schemas, declaration.version: declaration.schema},
    )


def broken_by(declaration: Declaration, registered: Registered | None) -> Sequence[str]:
    """What of the schema breaks consumers of the version that is registered, a line each."""
    before = (registered.schemas or {}).get(declaration.version) if registered else None
    return [
        f"{declaration.name} version {declaration.version}: {line}"
        for line in breaking_changes(before, declaration.schema)
    ]
