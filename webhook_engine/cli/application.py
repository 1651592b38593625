"""``webhook-engine app``: the consumers of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import (
    All,
    AppArgument,
    Iterator,
    Limit,
    Yes,
    changes,
    confirmed,
    connected,
    most,
    pairs,
)
from webhook_engine.cli.show import said, show_list, show_one, when

__all__ = ["application"]

application = typer.Typer(no_args_is_help=True, add_completion=False, help="Applications: the consumers of webhooks.")

Uid = Annotated[str | None, typer.Option(help="Your own name for it, in place of its id.")]
Rate = Annotated[int | None, typer.Option(min=0, help="Messages per second to all its endpoints together.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Kept with it; may be repeated.")]


class Application(msgspec.Struct, rename="camel"):
    """The fields of an application that are printed."""

    id: str
    name: str
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    uid: str | None = None
    throttle_rate: int | None = None


_FIELDS = {
    "id": lambda app: app.id,
    "uid": lambda app: app.uid or "",
    "name": lambda app: app.name,
    "rate limit": lambda app: f"{app.throttle_rate} messages per second" if app.throttle_rate else "",
    "metadata": lambda app: ", ".join(f"{name}={value}" for name, value in app.metadata.items()),
    "created": lambda app: when(app.created_at),
    "updated": lambda app: when(app.updated_at),
}


@application.command("list")
@connected
def list_(client: Client, limit: Limit = 50, everything: All = False, iterator: Iterator = None) -> None:
    """List the applications, oldest first."""
    found = client.listing(["app"], {}, most=most(limit, everything), iterator=iterator)
    columns = {name: _FIELDS[name] for name in ("id", "uid", "name", "created")}
    show_list(client, found, Application, columns)


@application.command()
@connected
def get(client: Client, app: AppArgument) -> None:
    """Show an application."""
    show_one(client, client.get(["app", app]), Application, _FIELDS)


@application.command()
@connected
def create(
    client: Client,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    uid: Uid = None,
    rate_limit: Rate = None,
    metadata: Metadata = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="If there is one with this uid, show it as it is instead.")
    ] = False,
) -> None:
    """Create an application."""
    body = changes(name=name, uid=uid, throttleRate=rate_limit, metadata=pairs(metadata, "--metadata"))
    query = {"get_if_exists": True} if if_missing else None
    show_one(client, client.post(["app"], body, query=query), Application, _FIELDS)


@application.command()
@connected
def update(
    client: Client,
    app: AppArgument,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    uid: Annotated[str | None, typer.Option(help='Your own name for it; "" takes it away.')] = None,
    rate_limit: Annotated[int | None, typer.Option(min=0, help="Messages per second; 0 lifts the limit.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Replaces what there is; may be repeated.")
    ] = None,
) -> None:
    """Change what is given of an application."""
    body = changes(needed=True, name=name, uid=uid, throttleRate=rate_limit, metadata=pairs(metadata, "--metadata"))
    show_one(client, client.patch(["app", app], body), Application, _FIELDS)


@application.command()
@connected
def delete(client: Client, app: AppArgument, yes: Yes = False) -> None:
    """Delete an application with its endpoints; what is pending for them is cancelled."""
    confirmed(f"Delete the application {app} with all its endpoints?", yes)
    said(client, client.delete(["app", app]), f"{app} is deleted")
