"""``webhook-engine endpoint``: the endpoints of an application."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import (
    All,
    AppArgument,
    EndpointArgument,
    Iterator,
    Limit,
    Yes,
    changes,
    confirmed,
    connected,
    instant,
    most,
    pairs,
)
from webhook_engine.cli.endpoint_options import OPTION_FIELDS, Asked, asking, json_of
from webhook_engine.cli.errors import CommandError
from webhook_engine.cli.message import ATTEMPT_COLUMNS, Attempt, StatusOption, status_code
from webhook_engine.cli.show import decoded, names, said, show_json, show_list, show_one, show_rows, when
from webhook_engine.cli.terminal import UsageError
from webhook_engine.config.values import parse_duration

__all__ = ["endpoint"]

endpoint = typer.Typer(no_args_is_help=True, add_completion=False, help="Endpoints: the URLs of an application.")

UrlText = Annotated[str | None, typer.Option("--to", metavar="URL", help="Where it sends to.")]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
EventTypes = Annotated[
    list[str] | None, typer.Option("--event-type", help="Only these; may be repeated. Without it, all.")
]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Only these; may be repeated.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Kept with it; may be repeated.")]
Header = Annotated[
    list[str] | None, typer.Option("--header", metavar="NAME:VALUE", help="Sent with each request; may be repeated.")
]


class Endpoint(Asked, rename="camel", kw_only=True):
    """The fields of an endpoint that are printed."""

    id: str
    url: str
    disabled: bool
    description: str
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    uid: str | None = None
    throttle_rate: int | None = None
    event_types: list[str] | None = None
    channels: list[str] | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    first_failure_at: datetime | None = None
    paused_until: datetime | None = None

    def state(self) -> str:
        """The state in one word."""
        return "disabled" if self.disabled else "failing" if self.first_failure_at else "enabled"


class _Secret(msgspec.Struct):
    key: str


class _Headers(msgspec.Struct):
    headers: dict[str, str]
    sensitive: list[str]


class _Stats(msgspec.Struct):
    success: int
    pending: int
    sending: int
    fail: int
    canceled: int = 0


class _Order(msgspec.Struct, rename="camel"):
    ordering_key: str | None
    message_id: str
    state: str
    attempt_count: int
    waiting: int
    next_attempt: datetime | None = None


_ORDER_COLUMNS = {
    "ordering key": lambda one: one.ordering_key or "",
    "message": lambda one: one.message_id,
    "state": lambda one: one.state,
    "attempts": lambda one: str(one.attempt_count),
    "next attempt": lambda one: when(one.next_attempt),
    "waiting behind it": lambda one: str(one.waiting),
}

_FIELDS = {
    "id": lambda one: one.id,
    "uid": lambda one: one.uid or "",
    "url": lambda one: one.url,
    "state": lambda one: one.state(),
    "disabled": lambda one: when(one.disabled_at),
    "because": lambda one: one.disabled_reason or "",
    "failing since": lambda one: when(one.first_failure_at),
    "paused until": lambda one: when(one.paused_until),
    "description": lambda one: one.description,
    "event types": lambda one: names(one.event_types, "all"),
    "channels": lambda one: names(one.channels, ""),
    "rate limit": lambda one: f"{one.throttle_rate} messages per second" if one.throttle_rate else "",
    **OPTION_FIELDS,
    "metadata": lambda one: ", ".join(f"{name}={value}" for name, value in one.metadata.items()),
    "created": lambda one: when(one.created_at),
    "updated": lambda one: when(one.updated_at),
}


@endpoint.command("list")
@connected
def list_(
    client: Client, app: AppArgument, limit: Limit = 50, everything: All = False, iterator: Iterator = None
) -> None:
    """List the endpoints of an application, newest first."""
    path = ["app", app, "endpoint"]
    found = client.listing(path, {}, most=most(limit, everything), iterator=iterator)
    show_list(client, found, Endpoint, {name: _FIELDS[name] for name in ("id", "uid", "state", "url", "event types")})


@endpoint.command()
@connected
def get(client: Client, app: AppArgument, endpoint: EndpointArgument) -> None:
    """Show an endpoint."""
    show_one(client, client.get(_path(app, endpoint)), Endpoint, _FIELDS)


@endpoint.command()
@connected
@asking
def create(
    client: Client,
    app: AppArgument,
    target: Annotated[str, typer.Argument(metavar="URL", help="Where it sends to.")],
    event_type: EventTypes = None,
    channel: Channels = None,
    description: Description = None,
    uid: Annotated[str | None, typer.Option(help="Your own name for it, in place of its id.")] = None,
    rate_limit: Annotated[int | None, typer.Option(min=0, help="Messages per second.")] = None,
    header: Header = None,
    secret: Annotated[
        str | None, typer.Option(help="Its signing secret, whsec_… or whsk_…; by default one is generated.")
    ] = None,
    metadata: Metadata = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Nothing is sent until it is enabled.")] = False,
    *,
    asked: dict[str, object],
) -> None:
    """Add an endpoint to an application."""
    body = changes(
        url=target,
        eventTypes=event_type or None,
        channels=channel or None,
        description=description,
        uid=uid,
        throttleRate=rate_limit,
        headers=pairs(header, "--header", ":"),
        secret=secret,
        metadata=pairs(metadata, "--metadata"),
        disabled=disabled or None,
    )
    show_one(client, client.post(["app", app, "endpoint"], {**body, **asked}), Endpoint, _FIELDS)


@endpoint.command()
@connected
@asking
def update(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    target: UrlText = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--event-type", help="Only these from now on; may be repeated.")
    ] = None,
    all_event_types: Annotated[bool, typer.Option("--all-event-types", help="No filter by event type.")] = False,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="Only these from now on; may be repeated.")
    ] = None,
    all_channels: Annotated[bool, typer.Option("--all-channels", help="No filter by channel.")] = False,
    description: Description = None,
    uid: Annotated[str | None, typer.Option(help='Your own name for it; "" takes it away.')] = None,
    rate_limit: Annotated[int | None, typer.Option(min=0, help="Messages per second; 0 lifts the limit.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Replaces what there is; may be repeated.")
    ] = None,
    *,
    asked: dict[str, object],
) -> None:
    """Change what is given of an endpoint; it holds from the next attempt."""
    filters = {
        name: None if everything else values
        for name, values, everything in (
            ("eventTypes", event_type, all_event_types),
            ("channels", channel, all_channels),
        )
        if values or everything
    }
    body = {
        **changes(
            needed=not filters and not asked,
            url=target,
            description=description,
            uid=uid,
            throttleRate=rate_limit,
            metadata=pairs(metadata, "--metadata"),
        ),
        **filters,
        **asked,
    }
    show_one(client, client.patch(_path(app, endpoint), body), Endpoint, _FIELDS)


@endpoint.command()
@connected
def delete(client: Client, app: AppArgument, endpoint: EndpointArgument, yes: Yes = False) -> None:
    """Delete an endpoint; what is pending for it is cancelled."""
    confirmed(f"Delete the endpoint {endpoint} of {app}?", yes)
    said(client, client.delete(_path(app, endpoint)), f"{endpoint} is deleted")


@endpoint.command()
@connected
def enable(client: Client, app: AppArgument, endpoint: EndpointArgument) -> None:
    """Enable an endpoint. Nothing is sent by itself: see recover and replay-missing."""
    body = client.patch(_path(app, endpoint), {"disabled": False})
    said(
        client,
        body,
        f"{endpoint} is enabled; `webhook-engine recover {app} {endpoint} --since 3d` sends again what failed, and "
        "replay-missing what it missed",
    )


@endpoint.command()
@connected
def disable(client: Client, app: AppArgument, endpoint: EndpointArgument) -> None:
    """Disable an endpoint; what is pending for it fails, and can be recovered."""
    said(client, client.patch(_path(app, endpoint), {"disabled": True}), f"{endpoint} is disabled")


@endpoint.command()
@connected
def secret(client: Client, app: AppArgument, endpoint: EndpointArgument) -> None:
    """Print what the consumer verifies signatures with, and nothing else."""
    _print_key(client, client.get([*_path(app, endpoint), "secret"]))


@endpoint.command()
@connected
def rotate(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    key: Annotated[str | None, typer.Option(help="The new secret; by default one is generated.")] = None,
    grace: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long the old one signs too; 24h by default, at most 7d.")
    ] = None,
) -> None:
    """Replace the signing secret, and print the new one."""
    body = changes(key=key, gracePeriodSeconds=None if grace is None else _seconds(grace))
    _print_key(client, client.post([*_path(app, endpoint), "secret", "rotate"], body))


@endpoint.command()
@connected
def headers(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    add: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME:VALUE", help="Add or replace it; may be repeated.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="NAME", help="May be repeated.")] = None,
) -> None:
    """Show the headers that are sent with each request, after changing them if so asked."""
    path = [*_path(app, endpoint), "headers"]
    if add or remove:
        client.patch(path, {"headers": {**dict.fromkeys(remove or ()), **(pairs(add, "--set", ":") or {})}})
    body = client.get(path)
    if client.as_json:
        show_json(body)
        return
    found = decoded(body, _Headers)
    hidden = [[name, "(sensitive, not shown)"] for name in found.sensitive]
    show_rows(["header", "value"], [*([name, value] for name, value in found.headers.items()), *hidden])


@endpoint.command()
@connected
def stats(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="A time, or how long ago; at most 28d.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="A time, or how long ago.")] = None,
) -> None:
    """Count the attempts of an endpoint."""
    query = {"since": instant(since, "--since"), "until": instant(until, "--until")}
    body = client.get([*_path(app, endpoint), "stats"], query)
    if client.as_json:
        show_json(body)
        return
    counted = decoded(body, _Stats)
    shown = [("success", counted.success), ("fail", counted.fail), ("pending", counted.pending + counted.sending)]
    show_rows(["attempts", "count"], [[name, str(count)] for name, count in [*shown, ("canceled", counted.canceled)]])


@endpoint.command()
@connected
def attempts(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    status: StatusOption = None,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the attempts of an endpoint, newest first."""
    query = {"status": status_code(status), "with_content": client.as_json, "expanded_statuses": True}
    path = ["app", app, "attempt", "endpoint", endpoint]
    found = client.listing(path, query, most=most(limit, everything), iterator=iterator)
    columns = {name: column for name, column in ATTEMPT_COLUMNS.items() if name != "endpoint"}
    show_list(client, found, Attempt, columns)


@endpoint.command()
@connected
def orders(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the state of each order of an endpoint, by ordering key."""
    path = [*_path(app, endpoint), "order"]
    found = client.listing(path, {}, most=most(limit, everything), iterator=iterator)
    show_list(client, found, _Order, _ORDER_COLUMNS)


@endpoint.command()
@connected
def skip(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The id or event id of the message.")],
) -> None:
    """Skip a message in the order of an endpoint, which is cancelled unless it has failed."""
    said(
        client, client.post([*_path(app, endpoint), "msg", message, "skip"], {}), f"the order goes on without {message}"
    )


@endpoint.command("try-filter")
@connected
def try_filter(
    client: Client,
    app: AppArgument,
    conditions: Annotated[str, typer.Argument(metavar="FILTER", help="""Such as '{"amount": {"$gt": 100}}'.""")],
    payload: Annotated[str, typer.Argument(metavar="PAYLOAD", help="An example, as JSON.")],
) -> None:
    """Try a filter on an example; exits 1 where it is not let through."""
    example = {"filter": json_of("FILTER", conditions), "payload": json_of("PAYLOAD", payload)}
    body = client.post(["app", app, "endpoint", "precheck", "filter"], example)
    tried = decoded(body, _Tried)
    if tried.problem is not None:
        raise UsageError(tried.problem)
    condition = json.dumps(tried.condition, ensure_ascii=False)
    outcome = "it is let through" if tried.passes else f"it is not let through: {condition} does not hold"
    said(client, body, outcome)
    if not tried.passes:
        raise typer.Exit(1)


class _Tried(msgspec.Struct):
    passes: bool | None
    problem: str | None
    condition: dict[str, object] | None = None


@endpoint.command("send-example")
@connected
def send_example(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    event_type: Annotated[str, typer.Argument(metavar="EVENT_TYPE", help="Whose example to send.")],
) -> None:
    """Send an example of an event type to this endpoint alone, whatever its filters."""
    body = client.post([*_path(app, endpoint), "send-example"], {"eventType": event_type})
    message = "" if client.as_json else decoded(body, _Made).id
    said(client, body, f"{message} is on its way; `webhook-engine message get {app} {message}` shows what comes of it")


@endpoint.command()
@connected
def transformation(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    code: Annotated[Path | None, typer.Option(metavar="FILE", help="JavaScript with handler(webhook).")] = None,
    variable: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="What the script gets; may be repeated.")
    ] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is used.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away, with its variables.")] = False,
    simulate: Annotated[
        Path | None, typer.Option(metavar="PAYLOAD", help="Try it on this JSON, and change and send nothing.")
    ] = None,
    event_type: Annotated[str, typer.Option(help="Of what it is tried on.")] = "example",
) -> None:
    """Show, change or try the script that changes the requests to an endpoint."""
    path = [*_path(app, endpoint), "transformation"]
    text = None if code is None else _file("--code", code)
    variables = pairs(variable, "--variable", "=")
    if simulate is not None:
        kept = decoded(client.get(path), _Script)
        body: dict[str, object] = {
            "code": text or kept.code or "",
            "eventType": event_type,
            "payload": _payload(simulate),
            "variables": variables,
        }
        show_json(client.post([*path, "simulate"], body))
        return
    wanted: dict[str, object] = {"code": text, "variables": variables, "enabled": enable}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if remove:
        wanted = {"code": None, "variables": None, "enabled": False}
    if wanted:
        client.patch(path, wanted)
    shown = client.get(path)
    if client.as_json:
        show_json(shown)
        return
    script = decoded(shown, _Script)
    typer.echo("There is none." if script.code is None else script.code, nl=script.code is None)
    if script.code is not None and not script.enabled:
        typer.echo("It is not used; --enable changes that.", err=True)


def _file(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{option}: {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _payload(path: Path) -> object:
    try:
        return msgspec.json.decode(_file("--simulate", path))
    except msgspec.DecodeError as error:
        raise UsageError(f"--simulate: {path} is no JSON: {error}") from None


class _Script(msgspec.Struct):
    code: str | None
    enabled: bool


@endpoint.command("try-authentication")
@connected
def try_authentication(client: Client, app: AppArgument, endpoint: EndpointArgument) -> None:
    """Ask for the access token of an endpoint, if it has one, and send it an example."""
    body = client.post([*_path(app, endpoint), "authentication", "try"], {})
    if client.as_json:
        show_json(body)
        return
    trial = decoded(body, _Trial)
    if trial.problem is not None:
        raise CommandError(trial.problem)
    if trial.token_life_seconds is not None:
        typer.echo(f"The token server gave an access token for {trial.token_life_seconds} s.")
    message = trial.message_id
    typer.echo(f"{message} is on its way; `webhook-engine message get {app} {message}` shows what comes of it.")


class _Trial(msgspec.Struct, rename="camel"):
    problem: str | None
    token_life_seconds: int | None
    message_id: str | None


class _Made(msgspec.Struct):
    id: str


def _path(app: str, endpoint: str) -> list[str]:
    return ["app", app, "endpoint", endpoint]


def _print_key(client: Client, body: bytes) -> None:
    if client.as_json:
        show_json(body)
    else:
        typer.echo(decoded(body, _Secret).key)


def _seconds(text: str) -> int:
    try:
        return int(parse_duration(text).total_seconds())
    except ValueError as problem:
        raise UsageError(f"--grace {text}: {problem}; give a number with a unit, such as 90m or 3d") from None
