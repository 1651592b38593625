"""``webhook-engine audit``: who changed what through the API and the portal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import All, Iterator, Limit, between, connected, most
from webhook_engine.cli.show import show_list, when

__all__ = ["audit"]

audit = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The audit log: who changed what through the API and the portal."
)

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula for spreadsheets."""

Application = Annotated[str | None, typer.Option("--application", metavar="APP", help="Only this one, by id or uid.")]
Subject = Annotated[str | None, typer.Option(help="Only what this token's owner did: org_… or app_….")]
Action = Annotated[str | None, typer.Option(help="Only this operation, such as endpoint.patch.")]
Target = Annotated[str | None, typer.Option(help="Only what was done to this.")]
Since = Annotated[str | None, typer.Option(help="A time, or how long ago, such as 7d.")]
Until = Annotated[str | None, typer.Option(help="A time, or how long ago.")]


class Format(StrEnum):
    """The format of the log."""

    JSONL = "jsonl"
    CSV = "csv"


class Entry(msgspec.Struct, rename="camel"):
    """The fields of a change that are printed."""

    id: str
    timestamp: datetime
    application_id: str | None
    subject: str
    token_id: str
    session_id: str | None
    action: str
    target: str | None
    changes: Sequence[str]
    address: str | None


_FIELDS = {
    "when": lambda one: when(one.timestamp),
    "who": lambda one: one.subject if one.session_id is None else f"{one.subject} {one.session_id}",
    "action": lambda one: one.action,
    "target": lambda one: one.target or "",
    "application": lambda one: one.application_id or "",
    "changes": lambda one: ", ".join(one.changes),
    "from": lambda one: one.address or "",
}


@audit.command("list")
@connected
def list_(
    client: Client,
    application: Application = None,
    subject: Subject = None,
    action: Action = None,
    target: Target = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the audit log, newest first."""
    query = _query(application, subject, action, target, since, until)
    found = client.listing(["audit-log"], query, most=most(limit, everything), iterator=iterator)
    show_list(client, found, Entry, _FIELDS)


@audit.command()
@connected
def export(
    client: Client,
    format: Annotated[Format, typer.Option("--format", help="A JSON object a line, or a table.")] = Format.JSONL,
    application: Application = None,
    subject: Subject = None,
    action: Action = None,
    target: Target = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write the whole log to standard output, oldest first."""
    query = {**_query(application, subject, action, target, since, until), "order": "ascending", "limit": 250}
    names = [field.encode_name for field in msgspec.structs.fields(Entry)]
    table = csv.writer(sys.stdout, lineterminator="\n")
    if format is Format.CSV:
        table.writerow(names)
    iterator: str | None = None
    while True:
        page = msgspec.json.decode(client.get(["audit-log"], {**query, "iterator": iterator}))
        for entry in page["data"]:
            if format is Format.CSV:
                table.writerow([_cell(entry.get(name)) for name in names])
            else:
                sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
        iterator = page["iterator"]
        if page["done"] or iterator is None:
            return


def _query(
    application: str | None,
    subject: str | None,
    action: str | None,
    target: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, Any]:
    wanted: Mapping[str, object] = {"application": application, "subject": subject, "action": action, "target": target}
    return {**wanted, **between(since, until)}


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
