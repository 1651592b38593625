"""``webhook-engine event-type``: the named kinds of messages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import All, Iterator, Limit, Yes, changes, confirmed, connected, most
from webhook_engine.cli.show import names, said, show_list, show_one, when
from webhook_engine.cli.terminal import UsageError

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
    """What is shown of an event type."""

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


def _schemas(file: Path | None) -> dict[str, object] | None:
    if file is None:
        return None
    try:
        schema = msgspec.json.decode(file.read_bytes(), type=dict[str, object])
    except msgspec.DecodeError as problem:
        raise UsageError(f"--schema {file}: this is no JSON object ({problem})") from None
    return {SCHEMA_VERSION: schema}
