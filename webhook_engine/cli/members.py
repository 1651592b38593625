"""``webhook-engine members``: the engines that share a database. It queries the database itself, not a daemon."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.show import show_json, show_rows, when
from webhook_engine.cli.terminal import CommandError, err
from webhook_engine.clock import to_datetime
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.members import SHARDS, Member
from webhook_engine.store.opening import find_members

__all__ = ["members"]

_HEADINGS = ["ID", "HOST", "PID", "VERSION", "STARTED", "LEASE", "HOLDS"]


def members(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object, for programs.")] = False,
) -> None:
    """Show which engines share the database, and how much of it each one holds."""
    store = configuration(config).store
    if store.path is not None:
        raise CommandError(
            f"store.url: {store.shown} is a file, which one engine has at a time; "
            "engines share databases of PostgreSQL only"
        )
    try:
        found = asyncio.run(find_members(store))
    except StoreUnavailableError as error:
        raise CommandError(str(error)) from error
    if as_json:
        show_json(msgspec.json.encode({"data": [_as_json(member) for member in found]}))
        return
    show_rows(_HEADINGS, [_row(member) for member in found])
    if not found:
        err.print("There are none.", style="dim")


def _as_json(member: Member) -> dict[str, object]:
    return {
        "id": member.id,
        "host": member.host,
        "pid": member.pid,
        "version": member.version,
        "startedAt": to_datetime(member.started_at),
        "leaseSeconds": round(member.lease_s, 3),
        "shards": member.shards,
        "share": member.shards / SHARDS,
    }


def _row(member: Member) -> list[str]:
    return [
        member.id,
        member.host,
        str(member.pid),
        member.version,
        when(to_datetime(member.started_at)),
        f"{member.lease_s:.1f} s" if member.lease_s > 0 else "ended",
        f"{member.shards / SHARDS:.1%}",
    ]
