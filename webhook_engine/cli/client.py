"""Calls a running daemon through its HTTP API, with helpful error messages."""

from __future__ import annotations

import asyncio
import os
import ssl
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from webhook_engine.cli.terminal import CommandError, UsageError
from webhook_engine.config.loading import Config
from webhook_engine.errors import WebhookEngineError
from webhook_engine.rules.pages import MAX_PAGE
from webhook_engine.secrets.files import SecretFile

__all__ = ["Client", "Listing", "TooLargeError", "UnreachableError"]

PATIENCE_S = 30
TRIES = 4
"""How often a request is tried if the daemon is overloaded or its response is lost."""
PAUSE_S = 0.5
UNIX = "unix:"

_KINDS = {
    "app": "application",
    "endpoint": "endpoint",
    "msg": "message",
    "event-type": "event type",
    "background-task": "task",
}
_LISTED_BY = {
    "app": "app list",
    "endpoint": "endpoint list {app}",
    "msg": "message list {app}",
    "event-type": "event-type list",
    "background-task": "task list",
}


class UnreachableError(CommandError):
    """No daemon answers."""


class TooLargeError(CommandError):
    """The daemon does not accept a body of this size."""


class _Problem(msgspec.Struct):
    loc: list[str]
    msg: str


class _Problems(msgspec.Struct):
    detail: list[_Problem]


class _Failure(msgspec.Struct):
    detail: str


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    done: bool
    iterator: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """Elements of a list."""

    data: Sequence[msgspec.Raw]
    iterator: str | None
    done: bool
    body: bytes
    """The response itself, or one with the elements of all pages."""


class Client:
    """A connection to a daemon, as a context manager; ``as_json`` is how the user wants to see its responses.

    A path is given as its segments, each of which is quoted. Raises ``CommandError`` for any failure.
    """

    def __init__(self, url: str, token: str | None, *, as_json: bool = False) -> None:
        if not url.startswith(("http://", "https://", UNIX)):
            raise UsageError(f"--url {url}: must begin with http:// or https:// (or unix: and the path of a socket)")
        if not token:
            raise UsageError(_no_token(url))
        if not token.isascii() or not token.isprintable() or " " in token.strip():
            raise UsageError("--token: this is no token; `webhook-engine token` prints one")
        self.url = url.rstrip("/")
        self.as_json = as_json
        self._token = token.strip()
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._runner.run(self._session.close())
        self._runner.close()

    def get(self, path: Sequence[str], query: Mapping[str, object] | None = None) -> bytes:
        """Send a GET request, and return the response body."""
        return self._run("GET", path, query=query)

    def post(
        self, path: Sequence[str], body: object = None, *, query: Mapping[str, object] | None = None, key: str = ""
    ) -> bytes:
        """Send a POST request, with an idempotency key so that a repetition does nothing twice."""
        return self._run("POST", path, body, query=query, key=key or str(uuid.uuid4()))

    def put(self, path: Sequence[str], body: object) -> bytes:
        """Send a PUT request."""
        return self._run("PUT", path, body)

    def patch(self, path: Sequence[str], body: object) -> bytes:
        """Send a PATCH request."""
        return self._run("PATCH", path, body)

    def delete(self, path: Sequence[str], query: Mapping[str, object] | None = None) -> bytes:
        """Send a DELETE request."""
        return self._run("DELETE", path, query=query)

    def listing(
        self, path: Sequence[str], query: Mapping[str, object], *, most: int | None, iterator: str | None = None
    ) -> Listing:
        """Up to ``most`` elements of a list, or all of them, in as few pages as possible."""
        data: list[msgspec.Raw] = []
        pages = 0
        while True:
            room = MAX_PAGE if most is None else min(MAX_PAGE, most - len(data))
            body = self.get(path, {**query, "limit": room, "iterator": iterator})
            page = self._decoded(body)
            pages += 1
            data += page.data
            if page.done or page.iterator is None or (most is not None and len(data) >= most):
                break
            iterator = page.iterator
        if pages > 1:
            body = msgspec.json.encode({"data": data, "iterator": page.iterator, "done": page.done})
        return Listing(data, page.iterator, page.done, body)

    def _decoded(self, body: bytes) -> _Page:
        try:
            return msgspec.json.decode(body, type=_Page)
        except msgspec.DecodeError:
            raise self._strange(200) from None

    def _run(
        self,
        method: str,
        path: Sequence[str],
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        key: str | None = None,
    ) -> bytes:
        if not all(path):
            raise UsageError("an id or a uid cannot be empty")
        return self._runner.run(self._done(method, path, query or {}, body, key))

    async def _done(
        self, method: str, path: Sequence[str], query: Mapping[str, object], body: object, key: str | None
    ) -> bytes:
        status, response = await self._exchange(method, path, query, body, key)
        if 200 <= status < 300:
            return response
        raise await self._refusal(status, response, path, body)

    async def _exchange(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, object] | None = None,
        body: object = None,
        key: str | None = None,
    ) -> tuple[int, bytes]:
        """Send a request, again where that is safe; returns the status and body of the response."""
        headers = {"authorization": f"Bearer {self._token}"}
        data = None
        if body is not None:
            data, headers["content-type"] = msgspec.json.encode(body), "application/json"
        if key is not None:
            headers["idempotency-key"] = key
        may_repeat = method == "GET" or key is not None
        pause = PAUSE_S
        for tries_left in reversed(range(TRIES)):
            try:
                async with self._opened().request(
                    method, self._address(path, query or {}), data=data, headers=headers, allow_redirects=False
                ) as response:
                    if response.status != 503 or not tries_left:
                        return response.status, await response.read()
            except aiohttp.InvalidURL:
                raise UsageError(f"--url {self.url}: this is no URL") from None
            except aiohttp.ClientConnectorError as problem:
                raise UnreachableError(self._unreachable(problem)) from None
            except TimeoutError:
                raise UnreachableError(f"{self.url} did not answer within {PATIENCE_S} seconds") from None
            except (aiohttp.ClientError, OSError) as problem:
                if not (may_repeat and tries_left):
                    raise UnreachableError(f"{self.url}: {problem or type(problem).__name__}") from None
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("the last try either returns or raises")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
            unix = self.url.removeprefix(UNIX) if self.url.startswith(UNIX) else None
            connector = aiohttp.UnixConnector(unix) if unix else None
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)
        return self._session

    def _address(self, path: Sequence[str], query: Mapping[str, object]) -> URL:
        base = "http://localhost" if self.url.startswith(UNIX) else self.url
        text = "/".join((base, "api", "v1", *(_quoted(part) for part in path)))
        given = {name: _text(value) for name, value in query.items() if value is not None}
        try:
            return URL(f"{text}?{urlencode(given)}" if given else text, encoded=True)
        except ValueError:
            raise UsageError(f"--url {self.url}: this is no URL") from None

    def _unreachable(self, problem: aiohttp.ClientConnectorError) -> str:
        return (
            f"no daemon answers at {self.url} ({_reason(problem.os_error)}); `webhook-engine serve` starts one, "
            "and --url or WEBHOOK_ENGINE_URL says where another one is"
        )

    def _strange(self, status: int) -> CommandError:
        return CommandError(f"{self.url} answered {status}, and not as the API does; is a daemon at this URL?")

    async def _refusal(self, status: int, response: bytes, path: Sequence[str], body: object) -> CommandError:
        with suppress(msgspec.DecodeError):
            if status == 422:
                problems = msgspec.json.decode(response, type=_Problems).detail
                return UsageError("\n".join(_told(problem) for problem in problems))
            detail = msgspec.json.decode(response, type=_Failure).detail
            if status == 401:
                return CommandError(
                    f"{self.url} does not accept the token ({detail.rstrip('.')}); `webhook-engine token`, in the "
                    "directory and with the configuration of the daemon, prints one that it does"
                )
            if status == 403:
                return CommandError(
                    "the token may not do this: it is for one application only; `webhook-engine token` prints one "
                    "for everything"
                )
            if status == 404:
                return CommandError(await self._missing(path) or detail)
            if status == 413:
                return TooLargeError(f"{detail.rstrip('.')}; server.max_body says how large a request may be")
            if status == 409 and (taken := _taken(path, body)):
                return CommandError(taken)
            return CommandError(f"{detail.rstrip('.')} (the daemon answered {status})")
        return self._strange(status)

    async def _missing(self, path: Sequence[str]) -> str | None:
        """Find the first resource in a path that does not exist, with one request each except for the last."""
        app = path[1] if path[0] == "app" and len(path) > 1 else ""
        named = [(kind, key) for kind, key in pairwise(path) if kind in _KINDS and key not in (*_KINDS, "attempt")]
        for kind, key in named:
            known = [kind, key] if kind not in ("endpoint", "msg") else ["app", app, kind, key]
            if (kind, key) == named[-1] or (await self._exchange("GET", known))[0] == 404:
                command = _LISTED_BY[kind].format(app=app)
                return f"there is no {_KINDS[kind]} {key!r}; `webhook-engine {command}` shows what there is"
        return None


def _reason(cause: OSError) -> str:
    """Why the connection failed, in a few words."""
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or str(cause)).replace('_', ' ').lower()}; does it speak https?"
    # Negative numbers are DNS errors, which have their own texts.
    text = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or str(cause)
    return f"{text[:1].lower()}{text[1:]}"


def _taken(path: Sequence[str], body: object) -> str | None:
    """Which name in a body is taken already; the daemon only says that one is."""
    if not isinstance(body, Mapping) or path[0] != "app" or len(path) < 3:
        return None
    app = path[1]
    if path[2] == "msg" and (event_id := body.get("eventId")):
        return (
            f"a message with the event id {event_id!r} was accepted before; "
            f"`webhook-engine message get {app} {event_id}` shows it"
        )
    if path[2] == "endpoint" and (uid := body.get("uid")):
        return f"another endpoint of {app} has the uid {uid!r}; `webhook-engine endpoint get {app} {uid}` shows it"
    return None


def _told(problem: _Problem) -> str:
    names: list[str] = []
    for name in problem.loc[1:]:
        if name.startswith("["):
            names[-1:] = ["".join(names[-1:]) + name]
        elif name and name != "__all__" and name not in names:
            names.append(name)
    field = ".".join(names)
    return problem.msg if not field or problem.msg.startswith(f"{field}:") else f"{field}: {problem.msg}"


def _quoted(part: str) -> str:
    quoted = quote(part, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _no_token(url: str) -> str:
    """How to get a token; in more detail if the daemon's secret is available."""
    way = "--token or WEBHOOK_ENGINE_TOKEN gives one"
    with suppress(WebhookEngineError, OSError):
        config = Config.load()
        secret = SecretFile.JWT.of(config.store.files)
        if config.auth.jwt_secret is not None or secret.is_file():
            return f"no token for {url}: {way}; here: export WEBHOOK_ENGINE_TOKEN=$(webhook-engine token)"
    return f"no token for {url}: {way}; `webhook-engine token`, in the directory of the daemon, prints one"
