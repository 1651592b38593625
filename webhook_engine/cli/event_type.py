"""``webhook-engine event-type``: the types of events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import All, Iterator, Limit, Yes, changes, confirmed, connected, most
from webhook_engine.cli.host_module import host_module
from webhook_engine.cli.show import names, said, show_json, show_list, show_one, when
from webhook_engine.cli.terminal import CommandError, UsageError
from webhook_engine.errors import BreakingChangeError, ValidationError

if TYPE_CHECKING:
    from webhook_engine.resources.typed_registration import EventTypeFields
    from webhook_engine.typed_events import Declaration

__all__ = ["event_type"]

event_type = typer.Typer(no_args_is_help=True, add_completion=False, help="Event types: the named kinds of messages.")

SCHEMA_VERSION = "1"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as invoice.paid.")]
Description = Annotated[str | None, typer.Option(help="When such a message is sent.")]
Group = Annotated[str | None, typer.Option("--group", help="Under which heading the catalogue shows it.")]
Schema = Annotated[
    Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="A JSON Schema of the payload.")
]
Flag = Annotated[
    list[str] | None,
    typer.Option("--feature-flag", help="Only consumers that have one of these see it; may be repeated."),
]


class EventType(msgspec.Struct, rename="camel"):
    """The fields of an event type that are printed."""

    name: str
    description: str
    archived: bool
    deprecated: bool
    created_at: datetime
    updated_at: datetime
    schemas: dict[str, Any] | None = None
    feature_flags: list[str] | None = None
    group_name: str | None = None


_FIELDS = {
    "name": lambda one: one.name,
    "description": lambda one: one.description,
    "state": lambda one: "archived" if one.archived else "deprecated" if one.deprecated else "active",
    "group": lambda one: one.group_name or "",
    "feature flags": lambda one: names(one.feature_flags, ""),
    "schema": lambda one: msgspec.json.encode(list(one.schemas.values())[-1]).decode() if one.schemas else "",
    "created": lambda one: when(one.created_at),
    "updated": lambda one: when(one.updated_at),
}


@event_type.command("list")
@connected
def list_(
    client: Client,
    archived: Annotated[bool, typer.Option("--archived", help="Also those that were deleted.")] = False,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the event types, in the order of their names."""
    query = {"include_archived": archived, "with_content": client.as_json}
    found = client.listing(["event-type"], query, most=most(limit, everything), iterator=iterator)
    show_list(client, found, EventType, {name: _FIELDS[name] for name in ("name", "state", "group", "description")})


@event_type.command()
@connected
def get(client: Client, name: Name) -> None:
    """Show an event type with its schema."""
    show_one(client, client.get(["event-type", name]), EventType, _FIELDS)


@event_type.command()
@connected
def create(
    client: Client,
    name: Name,
    description: Annotated[str, typer.Option(help="When such a message is sent.")] = "",
    group: Group = None,
    schema: Schema = None,
    feature_flag: Flag = None,
) -> None:
    """Create an event type, so that endpoints can subscribe to it."""
    body = changes(
        name=name,
        description=description,
        groupName=group,
        schemas=_schemas(schema),
        featureFlags=feature_flag or None,
    )
    show_one(client, client.post(["event-type"], body), EventType, _FIELDS)


@event_type.command()
@connected
def update(
    client: Client,
    name: Name,
    description: Description = None,
    group: Group = None,
    schema: Schema = None,
    feature_flag: Flag = None,
    deprecated: Annotated[bool | None, typer.Option(help="Whether consumers should stop using it.")] = None,
    archived: Annotated[bool | None, typer.Option(help="Whether it is deleted, though kept.")] = None,
) -> None:
    """Change what is given of an event type."""
    body = changes(
        needed=True,
        description=description,
        groupName=group,
        schemas=_schemas(schema),
        featureFlags=feature_flag or None,
        deprecated=deprecated,
        archived=archived,
    )
    show_one(client, client.patch(["event-type", name], body), EventType, _FIELDS)


@event_type.command()
@connected
def delete(
    client: Client,
    name: Name,
    expunge: Annotated[bool, typer.Option("--expunge", help="For good; otherwise it is archived.")] = False,
    yes: Yes = False,
) -> None:
    """Archive an event type, or delete it for good."""
    confirmed(f"Delete the event type {name}{' for good' if expunge else ''}?", yes)
    body = client.delete(["event-type", name], {"expunge": True} if expunge else None)
    said(client, body, f"{name} is deleted for good" if expunge else f"{name} is archived")


Registry = Annotated[
    str,
    typer.Argument(
        metavar="MODULE[:NAME]",
        help="Where the classes declared with @event are: a module, or a list of classes in one (shop.events:EVENTS).",
    ),
]
Title = Annotated[str, typer.Option(help="The title of the document.")]


@event_type.command()
@connected
def sync(
    client: Client,
    registry: Registry,
    check: Annotated[bool, typer.Option("--check", help="Change nothing: fail if anything would have to be.")] = False,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Also where consumers rely on what changes.")
    ] = False,
) -> None:
    """Register the typed events of a program; refuse what breaks consumers.

    With --check, for continuous integration: exit 1 if a schema would break consumers, or is not registered as it is.
    """
    from webhook_engine.resources.typed_registration import registrations  # noqa: PLC0415 (slow to import)

    known = {one.name: one for one in _all_of(client, include_archived=True)}
    try:
        plan = registrations(_declared(registry), known, allow_breaking=allow_breaking)
    except BreakingChangeError as error:
        problem = "consumers rely on what would change; declare another version, or say --allow-breaking:"
        raise CommandError("\n  ".join([problem, *error.problems])) from None
    differing = [(one, wanted) for one in plan if not _is_registered(one.registered, wanted := _body(one.fields))]
    if check:
        if differing:
            listed = ", ".join(one.name for one, _ in differing)
            raise CommandError(f"not registered as declared: {listed}; run this without --check")
        said(client, b"{}", f"{len(plan)} event types are registered as declared")
        return
    for one, wanted in differing:
        if one.registered is None:
            client.post(["event-type"], {"name": one.name, **wanted})
        else:
            client.patch(["event-type", one.name], wanted)
    said(client, b"{}", f"{len(differing)} of {len(plan)} event types changed")


@event_type.command()
@connected
def openapi(client: Client, title: Title = "Webhooks", version: Annotated[str, typer.Option()] = "1") -> None:
    """Print an OpenAPI 3.1 document of all event types, as webhooks."""
    from webhook_engine.resources.event_catalogue import openapi_document  # noqa: PLC0415 (as above)

    show_json(msgspec.json.encode(openapi_document(_all_of(client), title, version)))


@event_type.command()
@connected
def catalogue(client: Client, title: Title = "Webhooks") -> None:
    """Print a page of HTML for consumers: every event type with its fields and an example."""
    from webhook_engine.resources.event_catalogue import catalogue_page  # noqa: PLC0415 (as above)

    typer.echo(catalogue_page(_all_of(client), title), nl=False)


def _all_of(client: Client, *, include_archived: bool = False) -> list[EventType]:
    query = {"with_content": True, "include_archived": include_archived}
    found = client.listing(["event-type"], query, most=None, iterator=None)
    return [msgspec.json.decode(one, type=EventType) for one in found.data]


def _is_registered(registered: EventType | None, wanted: Mapping[str, object]) -> bool:
    if registered is None:
        return False
    now = changes(
        description=registered.description,
        deprecated=registered.deprecated,
        archived=registered.archived,
        groupName=registered.group_name,
        schemas=registered.schemas,
    )
    # Compared in the form in which the daemon returns it.
    return bool(now == msgspec.json.decode(msgspec.json.encode(wanted)))


def _body(fields: EventTypeFields) -> dict[str, object]:
    """The body for the API."""
    return changes(
        description=fields["description"],
        deprecated=fields["deprecated"],
        archived=fields["archived"],
        groupName=fields["group_name"],
        schemas=fields["schemas"],
    )


def _declared(registry: str) -> list[Declaration]:
    """The declarations of the classes in a registry."""
    from webhook_engine.typed_events import declarations, declared_in  # noqa: PLC0415 (as above)

    module_name, _, name = registry.partition(":")
    module = host_module(registry, module_name)
    if not name:
        found = declared_in(vars(module))
    elif hasattr(module, name):
        found = getattr(module, name)
    else:
        raise UsageError(f"{registry}: {module_name} has no {name}")
    try:
        return declarations(found)
    except (TypeError, ValidationError) as problem:
        raise UsageError(f"{registry}: {problem}") from problem


def _schemas(file: Path | None) -> dict[str, object] | None:
    if file is None:
        return None
    try:
        schema = msgspec.json.decode(file.read_bytes(), type=dict[str, object])
    except msgspec.DecodeError as problem:
        raise UsageError(f"--schema {file}: this is no JSON object ({problem})") from None
    return {SCHEMA_VERSION: schema}
