"""Reads a running Svix server through its API; also the hosted service, or another Webhook Engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.source import Item, Note
from webhook_engine.importing.svix_records import (
    SvixApplication,
    SvixEndpoint,
    SvixEventType,
    application,
    endpoint,
    event_type,
)
from webhook_engine.resources.imported import ImportedMessage

__all__ = ["SvixServer"]

PAGE = 100
MESSAGES = 50
EXPIRED = {"expired": True}
"""Replaces a payload that is no longer kept."""

SORTED = (
    "payload comes from the API with its keys sorted and without blanks, not byte for byte; read the database for that"
)
NO_PRIVATE_KEY = (
    "endpoint signs with an Ed25519 key pair, whose private half the API does not tell; it has a new secret here, "
    "which its consumer needs: read the database instead to keep it"
)
NO_OLD_KEYS = (
    "signing secrets that were rotated and are still valid are not told by the API: read the database instead, or wait "
    "until 24 hours (or the grace period) after the last rotation"
)

T = TypeVar("T")


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    done: bool
    iterator: str | None = None


class _Secret(msgspec.Struct):
    key: str


class _Headers(msgspec.Struct):
    headers: dict[str, str]
    sensitive: list[str] = []


class _Message(msgspec.Struct, rename="camel"):
    id: str
    event_type: str
    payload: msgspec.Raw
    timestamp: datetime
    event_id: str | None = None
    channels: list[str] | None = None
    tags: list[str] | None = None


class SvixServer:
    """The applications of one organization, that of the token, with what belongs to them."""

    def __init__(self, server: HttpServer) -> None:
        self.name = f"Svix at {server.url}"
        self._server = server

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """See :class:`~webhook_engine.importing.source.Source`."""
        query = {"with_content": True, "include_archived": True}
        for found in self._list(["event-type"], SvixEventType, query):
            yield event_type(found)
        yield Note(NO_OLD_KEYS, "all endpoints")
        for found_application in self._list(["app"], SvixApplication, {"order": "ascending"}):
            yield application(found_application)
            yield from self._endpoints(found_application.id)
            if messages_since is not None:
                yield from self._messages(found_application.id, messages_since)

    def _endpoints(self, application_id: str) -> Iterator[Item]:
        path = ["app", application_id, "endpoint"]
        for found in self._list(path, SvixEndpoint, {"order": "ascending"}):
            own = ["api", "v1", *path, found.id]
            secret: str | None = self._server.get([*own, "secret"], _Secret).key
            if secret is not None and secret.startswith("whpk_"):
                secret = None
                yield Note(NO_PRIVATE_KEY, found.id)
            headers = self._server.get([*own, "headers"], _Headers)
            yield from endpoint(
                found,
                application_id,
                secret=secret,
                old_keys=None,
                headers=headers.headers,
                hidden_headers=tuple(headers.sensitive),
            )

    def _messages(self, application_id: str, since: datetime) -> Iterator[Item]:
        """The messages, newest first, as the API lists them."""
        path = ["app", application_id, "msg"]
        for found in self._list(path, _Message, {"with_content": True}, MESSAGES):
            if found.timestamp < since:
                return
            payload = bytes(found.payload)
            if len(payload) < 32 and msgspec.json.decode(payload) == EXPIRED:
                yield Note("message has no payload any more, or one that is no JSON, and is left out", found.id)
                continue
            yield Note(SORTED, found.id)
            yield ImportedMessage(
                application=application_id,
                id=found.id,
                event_type=found.event_type,
                payload=payload,
                event_id=found.event_id,
                channels=tuple(found.channels) if found.channels else None,
                tags=tuple(found.tags) if found.tags else None,
            )

    def _list(self, path: Sequence[str], kind: type[T], query: Mapping[str, object], limit: int = PAGE) -> Iterator[T]:
        iterator: str | None = None
        while True:
            whole = ["api", "v1", *path]
            page = self._server.get(whole, _Page, {**query, "limit": limit, "iterator": iterator})
            for raw in page.data:
                yield self._server.decoded(whole, bytes(raw), kind)
            if page.done or not page.data or page.iterator is None:
                return
            iterator = page.iterator
