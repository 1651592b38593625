"""The admin's access to an engine: through a running ``SyncEngine``, or through the HTTP API.

Both return the same records, with only what the admin shows.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.config.loading import Config
from webhook_engine.errors import NotFoundError, WebhookEngineError
from webhook_engine.ids import IdSource
from webhook_engine.model import DEFAULT_ORGANIZATION, Page
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, TokenKeys, organization_claims
from webhook_engine.sync import SyncEngine

__all__ = [
    "ApplicationRow",
    "AttemptRow",
    "DestinationRow",
    "EndpointRow",
    "EngineRecords",
    "EngineUnreachableError",
    "MessageRow",
    "OverHttp",
    "Rows",
    "WithinProcess",
]

T = TypeVar("T")

PATIENCE_S = 5.0
"""How long an admin page waits for the API."""
ROWS = 50
"""Rows per page of a list."""


class EngineUnreachableError(WebhookEngineError):
    """The engine does not answer the admin."""


class _Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class ApplicationRow(_Row, frozen=True, kw_only=True):
    """An application."""

    id: str
    name: str
    uid: str | None = None

    @property
    def label(self) -> str:
        """The name, and the uid if there is one."""
        return f"{self.name} ({self.uid})" if self.uid else self.name


class MessageRow(_Row, frozen=True, kw_only=True):
    """A message, without its payload."""

    id: str
    event_type: str
    timestamp: datetime
    event_id: str | None = None
    channels: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    status_text: str | None = None
    """Its status at the endpoint that was asked about."""


class EndpointRow(_Row, frozen=True, kw_only=True):
    """An endpoint."""

    id: str
    url: str
    disabled: bool
    created_at: datetime
    uid: str | None = None
    description: str = ""
    event_types: Sequence[str] | None = None
    channels: Sequence[str] | None = None
    throttle_rate: int | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    first_failure_at: datetime | None = None


class DestinationRow(_Row, frozen=True, kw_only=True):
    """An endpoint as seen from one of its messages."""

    id: str
    url: str
    status_text: str
    attempt_count: int
    next_attempt: datetime | None = None


class AttemptRow(_Row, frozen=True, kw_only=True):
    """An attempt."""

    id: str
    msg_id: str
    endpoint_id: str
    url: str
    status_text: str
    response: str
    response_status_code: int
    response_duration_ms: int
    trigger_type: int
    timestamp: datetime


class Rows(_Row, Generic[T], frozen=True, kw_only=True):
    """A page of a list."""

    data: Sequence[T]
    iterator: str | None = None
    prev_iterator: str | None = None
    done: bool = True


class EngineRecords(Protocol):
    """What the admin needs of an engine. Every method raises ``WebhookEngineError`` on failure."""

    def applications(self, iterator: str | None) -> Rows[ApplicationRow]:
        """List applications, newest first."""
        ...

    def application(self, application: str) -> ApplicationRow:
        """Get an application by id or uid."""
        ...

    def messages(self, application: str, iterator: str | None, event_types: Sequence[str]) -> Rows[MessageRow]:
        """List messages of the last 90 days, newest first."""
        ...

    def messages_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[MessageRow]:
        """List messages sent or scheduled to an endpoint, newest first."""
        ...

    def message(self, application: str, message: str) -> tuple[MessageRow, str]:
        """Get a message, and its payload as text."""
        ...

    def destinations(self, application: str, message: str) -> Rows[DestinationRow]:
        """List the endpoints of a message."""
        ...

    def endpoints(self, application: str, iterator: str | None) -> Rows[EndpointRow]:
        """List endpoints, newest first."""
        ...

    def endpoint(self, application: str, endpoint: str) -> EndpointRow:
        """Get an endpoint."""
        ...

    def attempts_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[AttemptRow]:
        """List attempts of an endpoint, newest first."""
        ...

    def attempts_of_message(self, application: str, message: str, iterator: str | None) -> Rows[AttemptRow]:
        """List attempts of a message, newest first."""
        ...

    def attempt(self, application: str, message: str, attempt: str) -> AttemptRow:
        """Get an attempt."""
        ...

    def resend(self, application: str, message: str, endpoint: str) -> None:
        """Send a message to an endpoint once, now."""
        ...

    def recover(self, application: str, endpoint: str, since: datetime) -> str:
        """Send again what failed since then; returns the task's id."""
        ...


class WithinProcess:
    """An engine in this process."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def applications(self, iterator: str | None) -> Rows[ApplicationRow]:
        """List applications, newest first."""
        return _rows(self._engine.applications.list(limit=ROWS, iterator=iterator, order="descending"), ApplicationRow)

    def application(self, application: str) -> ApplicationRow:
        """Get an application by id or uid."""
        return _row(self._engine.applications.get(application), ApplicationRow)

    def messages(self, application: str, iterator: str | None, event_types: Sequence[str]) -> Rows[MessageRow]:
        """List messages of the last 90 days, newest first."""
        page = self._engine.messages.list(
            application, limit=ROWS, iterator=iterator, event_types=event_types or None, with_content=False
        )
        return _rows(page, MessageRow)

    def messages_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[MessageRow]:
        """List messages sent or scheduled to an endpoint, newest first."""
        page = self._engine.attempts.list_attempted_messages(
            application,
            endpoint,
            limit=ROWS,
            iterator=iterator,
            event_types=event_types or None,
            status=status,
            with_content=False,
        )
        return Rows(
            data=[
                msgspec.structs.replace(_row(each.message, MessageRow), status_text=each.status_text)
                for each in page.data
            ],
            iterator=page.iterator,
            prev_iterator=page.prev_iterator,
            done=page.done,
        )

    def message(self, application: str, message: str) -> tuple[MessageRow, str]:
        """Get a message, and its payload as text."""
        found = self._engine.messages.get(application, message)
        return _row(found, MessageRow), _payload_text(found.payload)

    def destinations(self, application: str, message: str) -> Rows[DestinationRow]:
        """List the endpoints of a message."""
        page = self._engine.attempts.list_attempted_destinations(application, message, limit=ROWS)
        data = [
            DestinationRow(
                id=each.endpoint.id,
                url=each.endpoint.url,
                status_text=each.status_text,
                attempt_count=each.attempt_count,
                next_attempt=each.next_attempt,
            )
            for each in page.data
        ]
        return Rows(data=data, done=page.done)

    def endpoints(self, application: str, iterator: str | None) -> Rows[EndpointRow]:
        """List endpoints, newest first."""
        page = self._engine.endpoints.list(application, limit=ROWS, iterator=iterator, order="descending")
        return _rows(page, EndpointRow)

    def endpoint(self, application: str, endpoint: str) -> EndpointRow:
        """Get an endpoint."""
        return _row(self._engine.endpoints.get(application, endpoint), EndpointRow)

    def attempts_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[AttemptRow]:
        """List attempts of an endpoint, newest first."""
        page = self._engine.attempts.list_by_endpoint(
            application, endpoint, limit=ROWS, iterator=iterator, event_types=event_types or None, status=status
        )
        return _rows(page, AttemptRow)

    def attempts_of_message(self, application: str, message: str, iterator: str | None) -> Rows[AttemptRow]:
        """List attempts of a message, newest first."""
        page = self._engine.attempts.list_by_message(application, message, limit=ROWS, iterator=iterator)
        return _rows(page, AttemptRow)

    def attempt(self, application: str, message: str, attempt: str) -> AttemptRow:
        """Get an attempt."""
        return _row(self._engine.attempts.get(application, message, attempt), AttemptRow)

    def resend(self, application: str, message: str, endpoint: str) -> None:
        """Send a message to an endpoint once, now."""
        self._engine.attempts.resend(application, message, endpoint)

    def recover(self, application: str, endpoint: str, since: datetime) -> str:
        """Send again what failed since then; returns the task's id."""
        return self._engine.endpoints.recover(application, endpoint, since).id


class OverHttp:
    """An engine behind its HTTP API, such as ``manage.py webhook_engine --listen …``."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        # Bypass any proxy from the environment, which is meant for external hosts.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def of(cls, url: str, config: Config) -> OverHttp:
        """With a token signed with the configured secret, which the engine and this process share."""
        now = Clock().now()
        claims = organization_claims(DEFAULT_ORGANIZATION, IdSource().new(TOKEN_ID_PREFIX, now), now // 1_000_000)
        return cls(url, TokenKeys.of(config).sign(claims))

    def applications(self, iterator: str | None) -> Rows[ApplicationRow]:
        """List applications, newest first."""
        return self._get(Rows[ApplicationRow], "app", limit=ROWS, iterator=iterator, order="descending")

    def application(self, application: str) -> ApplicationRow:
        """Get an application by id or uid."""
        return self._get(ApplicationRow, "app", application)

    def messages(self, application: str, iterator: str | None, event_types: Sequence[str]) -> Rows[MessageRow]:
        """List messages of the last 90 days, newest first."""
        return self._get(
            Rows[MessageRow],
            *("app", application, "msg"),
            limit=ROWS,
            iterator=iterator,
            event_types=event_types,
            with_content=False,
        )

    def messages_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[MessageRow]:
        """List messages sent or scheduled to an endpoint, newest first."""
        return self._get(
            Rows[MessageRow],
            *("app", application, "endpoint", endpoint, "msg"),
            limit=ROWS,
            iterator=iterator,
            event_types=event_types,
            status=status,
            with_content=False,
            expanded_statuses=True,
        )

    def message(self, application: str, message: str) -> tuple[MessageRow, str]:
        """Get a message, and its payload as text."""
        row = self._get(MessageRow, "app", application, "msg", message, with_content=False)
        exact = self._get(_Payload, "app", application, "msg", message, "payload")
        return row, _payload_text(None if exact.payload is None else exact.bytes())

    def destinations(self, application: str, message: str) -> Rows[DestinationRow]:
        """List the endpoints of a message."""
        return self._get(Rows[DestinationRow], "app", application, "msg", message, "endpoint", limit=ROWS)

    def endpoints(self, application: str, iterator: str | None) -> Rows[EndpointRow]:
        """List endpoints, newest first."""
        return self._get(
            Rows[EndpointRow], "app", application, "endpoint", limit=ROWS, iterator=iterator, order="descending"
        )

    def endpoint(self, application: str, endpoint: str) -> EndpointRow:
        """Get an endpoint."""
        return self._get(EndpointRow, "app", application, "endpoint", endpoint)

    def attempts_of_endpoint(
        self, application: str, endpoint: str, iterator: str | None, event_types: Sequence[str], status: int | None
    ) -> Rows[AttemptRow]:
        """List attempts of an endpoint, newest first."""
        return self._get(
            Rows[AttemptRow],
            *("app", application, "attempt", "endpoint", endpoint),
            limit=ROWS,
            iterator=iterator,
            event_types=event_types,
            status=status,
            expanded_statuses=True,
        )

    def attempts_of_message(self, application: str, message: str, iterator: str | None) -> Rows[AttemptRow]:
        """List attempts of a message, newest first."""
        return self._get(
            Rows[AttemptRow],
            *("app", application, "attempt", "msg", message),
            limit=ROWS,
            iterator=iterator,
            expanded_statuses=True,
        )

    def attempt(self, application: str, message: str, attempt: str) -> AttemptRow:
        """Get an attempt."""
        return self._get(AttemptRow, "app", application, "msg", message, "attempt", attempt, expanded_statuses=True)

    def resend(self, application: str, message: str, endpoint: str) -> None:
        """Send a message to an endpoint once, now."""
        self._asked("POST", ("app", application, "msg", message, "endpoint", endpoint, "resend"), {})

    def recover(self, application: str, endpoint: str, since: datetime) -> str:
        """Send again what failed since then; returns the task's id."""
        body = self._asked("POST", ("app", application, "endpoint", endpoint, "recover"), {"since": since.isoformat()})
        return msgspec.json.decode(body, type=_Started).id

    def _get(self, kind: type[T], *path: str, **query: object) -> T:
        words = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in query.items()
            if value is not None
        }
        body = self._asked("GET", path, query=urlencode(words, doseq=True))
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise EngineUnreachableError(
                f"{self._url} answers, but not as the API of a webhook engine of this version does ({error})"
            ) from error

    def _asked(
        self, method: str, path: Sequence[str], body: Mapping[str, object] | None = None, query: str = ""
    ) -> bytes:
        place = "/".join(quote(part, safe="") for part in path)
        request = urllib.request.Request(  # noqa: S310 (the settings allow http and https only)
            f"{self._url}/api/v1/{place}" + (f"?{query}" if query else ""),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=PATIENCE_S) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read()) from error
        except OSError as error:
            raise EngineUnreachableError(
                f"no webhook engine answers at {self._url} ({getattr(error, 'reason', error)}); start "
                "`manage.py webhook_engine --listen` with that address, or correct WEBHOOK_ENGINE['API']"
            ) from error

    def _refused(self, status: int, body: bytes) -> WebhookEngineError:
        try:
            said = json.loads(body)["detail"]
        except (ValueError, KeyError, TypeError):
            said = f"status {status}"
        if status == 404:
            return NotFoundError("record", str(said))
        if status in (401, 403):
            return EngineUnreachableError(
                f"the webhook engine at {self._url} does not take the token ({said}); it and this process need the "
                "same auth.jwt_secret: give both the same DATABASE, or set it in WEBHOOK_ENGINE['SETTINGS']"
            )
        return EngineUnreachableError(f"the webhook engine at {self._url} says: {said}")


class _Started(msgspec.Struct):
    id: str


class _Payload(msgspec.Struct):
    payload: str | None = None
    encoding: str = "utf-8"

    def bytes(self) -> bytes:
        text = self.payload or ""
        return base64.b64decode(text) if self.encoding == "base64" else text.encode()


def _row(record: object, kind: type[T]) -> T:
    return msgspec.convert(record, kind, from_attributes=True)


def _rows(page: Page[Any], kind: type[T]) -> Rows[T]:
    return Rows(
        data=[_row(each, kind) for each in page.data],
        iterator=page.iterator,
        prev_iterator=page.prev_iterator,
        done=page.done,
    )


def _payload_text(payload: bytes | None) -> str:
    if payload is None:
        return "(expired or expunged)"
    return payload.decode("utf-8", "backslashreplace")
