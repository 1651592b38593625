"""What the commands that call a daemon share: their options, and parsing values."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.terminal import UsageError
from webhook_engine.clock import Clock, microseconds, to_datetime
from webhook_engine.config.loading import Config
from webhook_engine.config.values import parse_duration

__all__ = [
    "OPTIONS",
    "All",
    "AppArgument",
    "EndpointArgument",
    "Iterator",
    "Limit",
    "Yes",
    "between",
    "changes",
    "confirmed",
    "connected",
    "instant",
    "most",
    "pairs",
]

P = ParamSpec("P")

AHEAD = microseconds(timedelta(minutes=1))
"""How far the daemon's clock may be ahead."""

AppArgument = Annotated[str, typer.Argument(metavar="APP", help="The application, by id or uid.")]
EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The endpoint, by id or uid.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show.")]
All = Annotated[bool, typer.Option("--all", help="Show all of them.")]
Iterator = Annotated[str | None, typer.Option(help="Go on after this one, as the end of a list says.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_Url = Annotated[
    str | None,
    typer.Option(
        envvar="WEBHOOK_ENGINE_URL", show_envvar=True, help="Where the daemon is; by default as configured here."
    ),
]
_Token = Annotated[
    str | None,
    typer.Option(envvar="WEBHOOK_ENGINE_TOKEN", show_envvar=True, help="As `webhook-engine token` prints it."),
]
_Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The TOML file that says where; else WEBHOOK_ENGINE_CONFIG names one."
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the JSON of the API, for programs.")]


def _option(name: str, kind: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


OPTIONS = [
    _option("url", _Url, None),
    _option("token", _Token, None),
    _option("config", _Config, None),
    _option("as_json", _AsJson, False),
]


def connected(work: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Make a command from a function whose first argument is a client; adds the options to reach the daemon."""
    signature = inspect.signature(work, eval_str=True)
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in list(signature.parameters.values())[1:]]
    parameters = [*own, *OPTIONS]

    def command(**arguments: object) -> None:
        url, token, config, as_json = (arguments.pop(each.name) for each in OPTIONS)
        if url is None:
            url = Config.load(None if config is None else Path(str(config))).server.local_url()
        with Client(str(url), None if token is None else str(token), as_json=bool(as_json)) as client:
            work(client, **arguments)  # type: ignore[arg-type, call-arg]

    command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def most(limit: int, everything: bool) -> int | None:
    """The maximum number of elements to list; ``None`` means all."""
    return None if everything else limit


def changes(*, needed: bool = False, **values: object) -> dict[str, object]:
    """A body with the given values; an empty text or a rate of 0 resets a value.

    Raises ``UsageError`` if no value is given but one is ``needed``, because the command would change nothing.
    """
    given = {name: None if value in ("", 0) and _may_go(name) else value for name, value in values.items()}
    body = {name: value for name, value in given.items() if values[name] is not None}
    if needed and not body:
        raise UsageError("nothing to change: say what, with the options that --help names")
    return body


def _may_go(name: str) -> bool:
    return name in ("uid", "throttleRate", "groupName")


def between(since: str | None, until: str | None) -> dict[str, object]:
    """The query for the bounds of a list by time, newest first."""
    after, before = instant(since, "--since"), instant(until, "--until")
    if after is not None and before is None:
        # Without an upper bound, the API begins such a list with the oldest.
        before = to_datetime(Clock().now() + AHEAD).isoformat()
    return {"after": after, "before": before}


def confirmed(question: str, yes: bool) -> None:
    """Ask for confirmation on a terminal; ends the command if the answer is no."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


def instant(text: str | None, option: str, *, ahead: bool = False) -> str | None:
    """A time for the API, from a time or from a duration relative to now; raises ``UsageError``."""
    if text is None:
        return None
    try:
        length = parse_duration(text)
    except ValueError:
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            direction = "in how long" if ahead else "how long ago"
            raise UsageError(
                f"{option} {text}: give a time, such as 2030-01-31T12:00:00Z (UTC unless it says otherwise), or "
                f"{direction}, such as 90m or 3d"
            ) from None
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    try:
        now = to_datetime(Clock().now())
        return (now + length if ahead else now - length).isoformat()
    except OverflowError:
        raise UsageError(f"{option} {text}: there is no such time") from None


def pairs(texts: Sequence[str] | None, option: str, separator: str = "=") -> dict[str, str] | None:
    """Parse ``NAME=VALUE`` texts to a mapping; ``None`` if there are none. Raises ``UsageError``."""
    if not texts:
        return None
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition(separator)
        if not mark or not name.strip():
            example = f"Name{separator} value" if separator == ":" else f"name{separator}value"
            raise UsageError(f"{option} {text}: must be written {example!r}")
        found[name.strip()] = value.strip() if separator == ":" else value
    return found
