"""What an endpoint may ask for, as options of ``webhook-engine endpoint create`` and ``update``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import typer

__all__ = ["OPTION_FIELDS", "Asked", "asking"]


class Asked(msgspec.Struct, rename="camel"):
    """What is shown of it."""

    timeout: str | None = None
    retry_schedule: list[str] | None = None


OPTION_FIELDS: Mapping[str, Callable[[Any], str]] = {
    "timeout": lambda one: one.timeout or "",
    "retries": lambda one: "" if one.retry_schedule is None else "after " + ", ".join(one.retry_schedule or ["none"]),
}
"""As they are named in what a command prints."""

_Timeout = Annotated[str | None, typer.Option(metavar="DURATION", help='For the whole exchange; "" takes it back.')]
_Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="DELAY", help='A delay of its retries, such as 5m; may be repeated; "" takes it back.'),
]
_NoRetries = Annotated[bool, typer.Option("--no-retries", help="Each message is tried once.")]

_OPTIONS: Mapping[str, tuple[object, object]] = {
    "timeout": (_Timeout, None),
    "retry": (_Retry, None),
    "no_retries": (_NoRetries, False),
}
"""Each with what it is where it is not given."""


def asking(work: Callable[..., None]) -> Callable[..., None]:
    """A command from a function whose last argument ``asked`` is what its caller asked for, by name in the API."""
    signature = inspect.signature(work, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "asked"]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _OPTIONS.items()
    ]

    def command(*arguments: object, **named: object) -> None:
        given = {name: named.pop(name) for name in _OPTIONS}
        work(*arguments, **named, asked=_asked(given))

    command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
    command.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    return command


def _asked(given: Mapping[str, Any]) -> dict[str, object]:
    asked: dict[str, object] = {}
    if given["timeout"] is not None:
        asked["timeout"] = given["timeout"] or None
    if given["no_retries"] or given["retry"]:
        asked["retrySchedule"] = [] if given["no_retries"] else None if given["retry"] == [""] else given["retry"]
    return asked
