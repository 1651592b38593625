"""The delivery options of an endpoint, as options of ``webhook-engine endpoint create`` and ``update``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from webhook_engine.cli.connected import pairs
from webhook_engine.cli.terminal import UsageError

__all__ = ["OPTION_FIELDS", "Asked", "asking", "json_of"]


class _Authentication(msgspec.Struct, rename="camel"):
    type: str
    username: str | None = None
    token_url: str | None = None
    client_id: str | None = None

    def said(self) -> str:
        """A short text, without secrets."""
        who = self.username or self.client_id
        where = self.token_url
        return self.type + (f" as {who}" if who else "") + (f" at {where}" if where else "")


class _Tls(msgspec.Struct):
    certificate: str | None = None
    ca: str | None = None

    def said(self) -> str:
        """A short text."""
        return " and ".join([*(["a certificate"] if self.certificate else []), *(["authorities"] if self.ca else [])])


class Asked(msgspec.Struct, rename="camel"):
    """The options that are printed."""

    timeout: str | None = None
    retry_schedule: list[str] | None = None
    timeout_by_event_type: dict[str, str] | None = None
    retry_schedule_by_event_type: dict[str, list[str]] | None = None
    transformation: str | None = None
    authentication: _Authentication | None = None
    tls: _Tls | None = None
    filter: dict[str, Any] | None = None
    method: str | None = None
    query: dict[str, str] | None = None
    compression: str | None = None
    user_agent: str | None = None
    content_type: str | None = None
    ordering: str | None = None
    ordering_on_exhausted: str | None = None
    batch_size: int | None = None
    batch_wait: str | None = None
    circuit_breaker: bool | None = None


def _order(one: Any) -> str:
    return "" if one.ordering is None else f"{one.ordering}, {one.ordering_on_exhausted or 'skip'} when exhausted"


def _batches(one: Any) -> str:
    if one.batch_size is None:
        return ""
    return f"up to {one.batch_size} messages" + (f", after {one.batch_wait}" if one.batch_wait else "")


OPTION_FIELDS: Mapping[str, Callable[[Any], str]] = {
    "timeout": lambda one: one.timeout or "",
    "retries": lambda one: "" if one.retry_schedule is None else "after " + ", ".join(one.retry_schedule or ["none"]),
    "transformation": lambda one: one.transformation or "",
    "authentication": lambda one: one.authentication.said() if one.authentication else "",
    "tls": lambda one: one.tls.said() + " of its own" if one.tls else "",
    "by event type": lambda one: "; ".join(
        [
            *(f"{name} timeout {timeout}" for name, timeout in (one.timeout_by_event_type or {}).items()),
            *(
                f"{name} retries after {', '.join(delays or ['none'])}"
                for name, delays in (one.retry_schedule_by_event_type or {}).items()
            ),
        ]
    ),
    "filter": lambda one: "" if one.filter is None else json.dumps(one.filter, ensure_ascii=False),
    "method": lambda one: one.method or "",
    "query": lambda one: "&".join(f"{name}={value}" for name, value in (one.query or {}).items()),
    "compression": lambda one: one.compression or "",
    "user agent": lambda one: one.user_agent or "",
    "content type": lambda one: one.content_type or "",
    "order": _order,
    "batches": _batches,
    "circuit breaker": lambda one: "" if one.circuit_breaker is None else "yes" if one.circuit_breaker else "no",
}
"""How to print each option, by its printed name."""

_Timeout = Annotated[str | None, typer.Option(metavar="DURATION", help='For the whole exchange; "" takes it back.')]
_Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="DELAY", help='A delay of its retries, such as 5m; may be repeated; "" takes it back.'),
]
_TimeoutFor = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE=DURATION", help='For an event type, or invoice.*; may be repeated; "" takes all back.'),
]
_RetryFor = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE=DELAYS", help='Such as invoice.*=5s,5m; may be repeated; "" takes all back.'),
]
_NoRetries = Annotated[bool, typer.Option("--no-retries", help="Each message is tried once.")]
_Filter = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="""What payloads must be like: '{"amount": {"$gt": 100}}'; "" takes it back."""),
]
_Method = Annotated[str | None, typer.Option(help='PUT or PATCH in place of POST; "" takes it back.')]
_Query = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help='Added to the URL; may be repeated; "" takes all away.'),
]
_Compression = Annotated[str | None, typer.Option(help='gzip; "" takes it back.')]
_UserAgent = Annotated[str | None, typer.Option(help='In place of the engine\'s own; "" takes it back.')]
_ContentType = Annotated[str | None, typer.Option(help='Of payloads whose message names none; "" takes it back.')]

_Transformation = Annotated[
    str | None, typer.Option(metavar="NAME", help='What its requests are changed by, such as slack; "" takes it back.')
]
_Auth = Annotated[
    str | None,
    typer.Option(
        metavar="JSON",
        help='Such as {"type": "bearer", "token": "..."}, or @FILE with it; "" takes it back.',
    ),
]
_Certificate = Annotated[
    Path | None, typer.Option(metavar="FILE", help="It is shown to the receiver; in PEM, with its chain.")
]
_Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The key of the certificate, in PEM.")]
_Ca = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The receiver's certificate must be of one of these; in PEM.")
]
_NoTls = Annotated[bool, typer.Option("--no-tls", help="Takes back its certificate, and its authorities.")]
_Ordering = Annotated[
    str | None, typer.Option(metavar="fifo", help='Messages one at a time, in their order; "" takes it back.')
]
_OnExhausted = Annotated[
    str | None,
    typer.Option(metavar="skip|stop", help='What the order does when retries are exhausted; "" takes it back.'),
]
_BatchSize = Annotated[
    int | None, typer.Option(min=0, help="Messages of an order in one request; 0 takes it back.", show_default=False)
]
_BatchWait = Annotated[
    str | None, typer.Option(metavar="DURATION", help='For how long fewer wait for more; "" takes it back.')
]
_CircuitBreaker = Annotated[
    bool | None,
    typer.Option("--circuit-breaker/--no-circuit-breaker", help="Wait as a whole when too many attempts fail."),
]

_OPTIONS: Mapping[str, tuple[object, object]] = {
    "timeout": (_Timeout, None),
    "retry": (_Retry, None),
    "no_retries": (_NoRetries, False),
    "timeout_for": (_TimeoutFor, None),
    "retry_for": (_RetryFor, None),
    "transformation": (_Transformation, None),
    "authentication": (_Auth, None),
    "tls_certificate": (_Certificate, None),
    "tls_key": (_Key, None),
    "tls_ca": (_Ca, None),
    "no_tls": (_NoTls, False),
    "filter": (_Filter, None),
    "method": (_Method, None),
    "query": (_Query, None),
    "compression": (_Compression, None),
    "user_agent": (_UserAgent, None),
    "content_type": (_ContentType, None),
    "ordering": (_Ordering, None),
    "on_exhausted": (_OnExhausted, None),
    "batch_size": (_BatchSize, None),
    "batch_wait": (_BatchWait, None),
    "circuit_breaker": (_CircuitBreaker, None),
}
"""The type and the default of each command-line option."""


_TEXTS = {
    "timeout": "timeout",
    "method": "method",
    "compression": "compression",
    "user_agent": "userAgent",
    "content_type": "contentType",
}
"""The options that are passed on unchanged, with their names in the API."""


def asking(work: Callable[..., None]) -> Callable[..., None]:
    """Make a command whose last argument ``asked`` has the given options, by their names in the API."""
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


def _by_event_type(timeouts: list[str] | None, retries: list[str] | None) -> dict[str, object]:
    asked: dict[str, object] = {}
    if timeouts:
        asked["timeoutByEventType"] = None if timeouts == [""] else pairs(timeouts, "--timeout-for")
    if retries:
        each = {} if retries == [""] else pairs(retries, "--retry-for") or {}
        schedules = {name: [one for one in delays.split(",") if one] for name, delays in each.items()}
        asked["retryScheduleByEventType"] = schedules or None
    return asked


def _asked(given: Mapping[str, Any]) -> dict[str, object]:
    asked: dict[str, object] = {}
    for name, wire in _TEXTS.items():
        if given[name] is not None:
            asked[wire] = given[name] or None
    asked |= _by_event_type(given["timeout_for"], given["retry_for"])
    if given["query"]:
        asked["query"] = None if given["query"] == [""] else pairs(given["query"], "--query")
    if given["no_retries"] or given["retry"]:
        asked["retrySchedule"] = [] if given["no_retries"] else None if given["retry"] == [""] else given["retry"]
    if given["transformation"] is not None:
        asked["transformation"] = given["transformation"] or None
    if given["authentication"] is not None:
        asked["authentication"] = json_of("--authentication", given["authentication"] or "null")
    files = {name: path for name in ("certificate", "key", "ca") if (path := given[f"tls_{name}"]) is not None}
    if given["no_tls"] or files:
        asked["tls"] = {name: _text(f"--tls-{name}", path) for name, path in files.items()} or None
    if given["filter"] is not None:
        asked["filter"] = json_of("--filter", given["filter"] or "null")
    for name, field in (("ordering", "ordering"), ("on_exhausted", "orderingOnExhausted"), ("batch_wait", "batchWait")):
        if given[name] is not None:
            asked[field] = given[name] or None
    if given["batch_size"] is not None:
        asked["batchSize"] = given["batch_size"] or None
    if given["circuit_breaker"] is not None:
        asked["circuitBreaker"] = given["circuit_breaker"]
    return asked


def json_of(option: str, given: str) -> object:
    """Parse JSON given as text, or as ``@FILE``; raises ``UsageError``."""
    text = _text(option, Path(given[1:])) if given.startswith("@") else given
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(f"{option}: this is no JSON: {error}") from None


def _text(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{option}: {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
