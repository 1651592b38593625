"""Registration of typed events: the fields of the event type, and changes that would break consumers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypedDict, TypeVar

from webhook_engine.errors import BreakingChangeError
from webhook_engine.rules.schema_changes import breaking_changes
from webhook_engine.typed_events import Declaration

__all__ = ["EventTypeFields", "Registered", "Registration", "broken_by", "fields_of", "registrations"]


class EventTypeFields(TypedDict):
    """The registered fields of a typed event."""

    description: str
    deprecated: bool
    archived: bool
    group_name: str | None
    schemas: Mapping[str, object]


class Registered(Protocol):
    """The event type already registered under the name of a typed event."""

    @property
    def group_name(self) -> str | None:
        """The heading that it is listed under."""
        ...

    @property
    def schemas(self) -> Mapping[str, object] | None:
        """Its schemas, by version."""
        ...


R = TypeVar("R", bound=Registered)


class Registration(NamedTuple, Generic[R]):
    """A typed event, the event type registered under its name, and the fields to register."""

    name: str
    registered: R | None
    fields: EventTypeFields


def registrations(
    declared: Sequence[Declaration], known: Mapping[str, R], *, allow_breaking: bool
) -> Sequence[Registration[R]]:
    """What to register for typed events, each event type once, in their order; ``known``: registered ones by name.

    Raises ``BreakingChangeError`` if a schema changes so that consumers break, unless that is allowed.
    """
    if not allow_breaking and (problems := [line for one in declared for line in broken_by(one, known.get(one.name))]):
        raise BreakingChangeError(problems)
    planned: dict[str, Registration[R]] = {}
    for one in declared:
        registered, earlier = known.get(one.name), planned.get(one.name)
        fields = fields_of(one, registered)
        if earlier is not None:
            # Another version of the same event type, which then has both.
            fields["schemas"] = {**earlier.fields["schemas"], one.version: one.schema}
            fields["group_name"] = one.group_name or earlier.fields["group_name"]
        planned[one.name] = Registration(one.name, registered, fields)
    return list(planned.values())


def fields_of(declaration: Declaration, registered: Registered | None) -> EventTypeFields:
    """The fields of the event type: those of the class, with the schemas of other registered versions."""
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
    """The schema changes that break consumers of the registered version, a line each."""
    before = (registered.schemas or {}).get(declaration.version) if registered else None
    return [
        f"{declaration.name} version {declaration.version}: {line}"
        for line in breaking_changes(before, declaration.schema)
    ]
