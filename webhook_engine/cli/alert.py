"""``webhook-engine alert``: who is notified when an endpoint fails, is disabled, recovers or falls behind."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import AppArgument, Yes, confirmed, connected
from webhook_engine.cli.show import names, said, show_list, show_one, when

__all__ = ["alert"]

alert = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Alerts: notifications about what happens to endpoints."
)

AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="Its id.")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="TYPE", help="What to tell of, such as endpoint.disabled; may be repeated."),
]


class Alert(msgspec.Struct, rename="camel"):
    """The fields of an alert that are printed."""

    id: str
    kind: str
    to: str
    events: list[str]
    active: bool
    created_at: datetime
    inactive_reason: str | None = None


_FIELDS = {
    "id": lambda one: one.id,
    "kind": lambda one: one.kind,
    "to": lambda one: one.to,
    "events": lambda one: names(one.events, ""),
    "active": lambda one: "yes" if one.active else f"no: {one.inactive_reason}",
    "created": lambda one: when(one.created_at),
}


@alert.command("list")
@connected
def list_(client: Client, app: AppArgument) -> None:
    """List the alerts of an application."""
    found = client.listing(["app", app, "alert"], {}, most=None, iterator=None)
    show_list(client, found, Alert, {name: _FIELDS[name] for name in ("id", "kind", "to", "active")})


@alert.command()
@connected
def create(
    client: Client,
    app: AppArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="email, slack, discord, teams or webhook.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="An address, or a URL.")],
    event: Events = None,
) -> None:
    """Create an alert about the endpoints of an application."""
    body = {"kind": kind, "to": to, **({"events": event} if event else {})}
    show_one(client, client.post(["app", app, "alert"], body), Alert, _FIELDS)


@alert.command()
@connected
def get(client: Client, app: AppArgument, alert: AlertArgument) -> None:
    """Show an alert."""
    show_one(client, client.get(["app", app, "alert", alert]), Alert, _FIELDS)


@alert.command()
@connected
def update(client: Client, app: AppArgument, alert: AlertArgument, event: Events = None) -> None:
    """Tell of other events; without any, of the usual ones."""
    show_one(client, client.patch(["app", app, "alert", alert], {"events": event or None}), Alert, _FIELDS)


@alert.command()
@connected
def test(client: Client, app: AppArgument, alert: AlertArgument) -> None:
    """Send a test."""
    said(client, client.post(["app", app, "alert", alert, "test"], {}), f"a test is on its way to {alert}")


@alert.command()
@connected
def delete(client: Client, app: AppArgument, alert: AlertArgument, yes: Yes = False) -> None:
    """Delete an alert."""
    confirmed(f"Delete the alert {alert} of {app}?", yes)
    said(client, client.delete(["app", app, "alert", alert]), f"{alert} is deleted")
