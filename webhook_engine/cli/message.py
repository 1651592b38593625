"""``webhook-engine message``: messages and their deliveries."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import All, AppArgument, Iterator, Limit, Yes, between, confirmed, connected, most
from webhook_engine.cli.show import decoded, names, said, show_list, show_one, show_rows, when
from webhook_engine.cli.terminal import glyph
from webhook_engine.model import AttemptStatus

__all__ = ["ATTEMPT_COLUMNS", "Attempt", "MessageArgument", "StatusOption", "message", "status_code"]

message = typer.Typer(no_args_is_help=True, add_completion=False, help="Messages, and their deliveries.")

MAX_ENDPOINTS = 1000

MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message, by id or event id.")]
EventTypeFilter = Annotated[list[str] | None, typer.Option("--event-type", help="Only these; may be repeated.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only later ones: a time, or how long ago, as 3h.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only earlier ones, likewise.")]


class Status(StrEnum):
    """The status of a delivery or attempt, as a user writes it."""

    SUCCESS = "success"
    PENDING = "pending"
    FAIL = "fail"


StatusOption = Annotated[Status | None, typer.Option(help="Only these.", case_sensitive=False)]


def status_code(status: Status | None) -> int | None:
    """The status code in the API."""
    return None if status is None else int(AttemptStatus[status.name])


class Message(msgspec.Struct, rename="camel"):
    """The fields of a message that are printed."""

    id: str
    event_type: str
    timestamp: datetime
    payload: msgspec.Raw
    event_id: str | None = None
    channels: list[str] | None = None
    tags: list[str] | None = None
    deliver_at: datetime | None = None
    content_type: str | None = None


class MessageStatus(Message, rename="camel"):
    """A message, and its overall status across its endpoints."""

    status_text: str | None = None
    succeeded: int = 0
    pending: int = 0
    failed: int = 0


class Destination(msgspec.Struct, rename="camel"):
    """An endpoint of a message, and its delivery."""

    id: str
    url: str
    status_text: str
    next_attempt: datetime | None = None


class Attempt(msgspec.Struct, rename="camel"):
    """The fields of an attempt that are printed."""

    id: str
    msg_id: str
    endpoint_id: str
    status_text: str
    response_status_code: int
    response_duration_ms: int
    trigger_type: int
    timestamp: datetime
    url: str
    response: str


FIELDS = {
    "id": lambda one: one.id,
    "event id": lambda one: one.event_id or "",
    "event type": lambda one: one.event_type,
    "channels": lambda one: names(one.channels, ""),
    "tags": lambda one: names(one.tags, ""),
    "accepted": lambda one: when(one.timestamp),
    "deliver at": lambda one: when(one.deliver_at),
    "sent as": lambda one: one.content_type or "",
    "payload": lambda one: bytes(one.payload).decode(),
}

ATTEMPT_COLUMNS = {
    "message": lambda one: one.msg_id,
    "endpoint": lambda one: one.endpoint_id,
    "at": lambda one: when(one.timestamp),
    "result": lambda one: one.status_text,
    "code": lambda one: str(one.response_status_code or "-"),
    "took": lambda one: f"{one.response_duration_ms} ms",
    "by": lambda one: "hand" if one.trigger_type else "schedule",
}


def _endpoints(one: MessageStatus) -> str:
    counts = ((one.succeeded, "succeeded"), (one.pending, "pending"), (one.failed, "failed"))
    return f" {glyph('·', '-')} ".join(f"{count} {word}" for count, word in counts if count) or "none"


_STATUS = {
    "id": lambda one: one.id,
    "event type": lambda one: one.event_type,
    "accepted": lambda one: when(one.timestamp),
    "status": lambda one: one.status_text or "-",
    "endpoints": _endpoints,
}


@message.command("list")
@connected
def list_(
    client: Client,
    app: AppArgument,
    status: StatusOption = None,
    event_type: EventTypeFilter = None,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the messages of an application with their delivery states, newest first."""
    query = {
        "status": status_code(status),
        "event_types": ",".join(event_type) if event_type else None,
        "channel": channel,
        "tag": tag,
        **between(since, until),
        "with_content": client.as_json,
    }
    found = client.listing(["app", app, "message-state"], query, most=most(limit, everything), iterator=iterator)
    show_list(client, found, MessageStatus, _STATUS)


@message.command()
@connected
def get(client: Client, app: AppArgument, message: MessageArgument) -> None:
    """Show a message with its payload, how it stands at each endpoint, and why others did not get it."""
    show_one(client, client.get(["app", app, "msg", message]), Message, FIELDS)
    if not client.as_json:
        found = client.listing(["app", app, "msg", message, "endpoint"], {}, most=MAX_ENDPOINTS)
        typer.echo()
        _show_destinations([decoded(bytes(each), Destination) for each in found.data])
        _show_unsent(decoded(client.get(["app", app, "msg", message, "unsent"]), _Unsent).data)


@message.command()
@connected
def attempts(
    client: Client,
    app: AppArgument,
    message: MessageArgument,
    status: StatusOption = None,
    endpoint: Annotated[str | None, typer.Option(help="Only to this one, by id or uid.")] = None,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the attempts of a message, newest first."""
    query = {
        "status": status_code(status),
        "endpoint_id": endpoint,
        "with_content": True,
        "expanded_statuses": True,
    }
    path = ["app", app, "attempt", "msg", message]
    found = client.listing(path, query, most=most(limit, everything), iterator=iterator)
    columns = {name: column for name, column in ATTEMPT_COLUMNS.items() if name != "message"}
    show_list(client, found, Attempt, {**columns, "answer": lambda one: one.response[:60]})


@message.command()
@connected
def expunge(client: Client, app: AppArgument, message: MessageArgument, yes: Yes = False) -> None:
    """Delete the payload of a message for good."""
    confirmed(f"Delete the payload of {message} for good?", yes)
    said(client, client.delete(["app", app, "msg", message, "content"]), f"the payload of {message} is deleted")


class _UnsentDestination(msgspec.Struct, rename="camel"):
    id: str
    url: str
    obstacle: str
    edited_since: bool
    condition: dict[str, object] | None = None

    def why(self) -> str:
        """The reason, in words."""
        said = _OBSTACLES.get(self.obstacle, self.obstacle)
        if self.condition is not None:
            said = f"{said}: {json.dumps(self.condition, ensure_ascii=False)}"
        return f"{said} (it was changed since)" if self.edited_since and self.obstacle != "edited" else said


class _Unsent(msgspec.Struct):
    data: list[_UnsentDestination]


_OBSTACLES = {
    "disabled": "it is disabled",
    "eventType": "it does not want this event type",
    "channels": "it wants other channels",
    "filter": "its filter does not let the payload through",
    "later": "it was added later",
    "edited": "it was changed since, and would get it now",
}


def _show_unsent(found: list[_UnsentDestination]) -> None:
    if found:
        typer.echo()
        show_rows(["not sent to", "because", "url"], [[each.id, each.why(), each.url] for each in found])


def _show_destinations(found: list[Destination]) -> None:
    if not found:
        typer.echo("No endpoint was to have it when it came.")
    rows = [
        [each.id, "pending" if each.next_attempt else each.status_text, when(each.next_attempt) or "-", each.url]
        for each in found
    ]
    show_rows(["endpoint", "status", "next attempt", "url"], rows)
