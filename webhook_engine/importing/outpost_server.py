"""Reads a running Outpost server through its API: tenants become applications, webhook destinations endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from webhook_engine.importing.conversion import allowed_headers, as_secret, as_time, as_uid, message_id
from webhook_engine.importing.filters import FILTER_TAKEN_OVER, InexpressibleError, outpost_filter
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.source import Item, Note
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedEndpoint,
    ImportedEventType,
    ImportedKey,
    ImportedMessage,
)
from webhook_engine.rules.names import is_wildcard

__all__ = ["OutpostServer", "destination", "event", "tenant"]

PAGE = 100
EVENTS = 20
ALL = "*"

Object = Mapping[str, Any]


class _Pagination(msgspec.Struct):
    next: str | None = None


class _Page(msgspec.Struct):
    models: list[msgspec.Raw] | None
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)


class _Event(msgspec.Struct):
    """The parts of an event whose JSON is kept exactly as written."""

    data: msgspec.Raw = msgspec.Raw(b"")


class OutpostServer:
    """All data of a server, as its administrator sees it."""

    def __init__(self, server: HttpServer) -> None:
        self.name = f"Outpost at {server.url}"
        self._server = server
        # The hosted service has its own path, which is then part of the URL.
        self._base = [] if urlsplit(server.url).path else ["api", "v1"]

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """See :class:`~webhook_engine.importing.source.Source`."""
        yield Note(
            "signatures are made after Standard Webhooks here (webhook-signature); unless Outpost did so too, "
            "consumers have to verify anew, with the same secrets where they are long enough",
            "all destinations",
        )
        topics: list[str] = []
        path = [*self._base, "tenants"]
        for raw in self._list(path, {"limit": PAGE, "dir": "asc"}):
            found = self._server.decoded(path, raw, dict[str, Any])
            if not topics:
                topics = self._topics(str(found["id"]))
                yield from (ImportedEventType(name=name) for name in topics)
            yield from tenant(found)
            own = [*self._base, "tenants", str(found["id"])]
            for each in self._server.get([*own, "destinations"], list[dict[str, Any]]):
                yield from destination(each, str(found["id"]), topics)
            if messages_since is not None:
                yield from self._messages(str(found["id"]), messages_since)

    def _topics(self, tenant_id: str) -> list[str]:
        """The configured topics; empty if any topic may be published."""
        for path in ([*self._base, "topics"], [*self._base, "tenants", tenant_id, "topics"]):
            found = self._server.find(path, list[str])
            if found is not None:
                return [name for name in found if ALL not in name]
        return []

    def _messages(self, tenant_id: str, since: datetime) -> Iterator[Item]:
        path = [*self._base, "events"]
        query = {"tenant_id": tenant_id, "limit": EVENTS, "time[gte]": since.isoformat().replace("+00:00", "Z")}
        for raw in self._list(path, query):
            found = self._server.decoded(path, raw, dict[str, Any])
            if (created_at := as_time(found.get("time"))) is not None and created_at < since:
                continue  # an older version uses another parameter
            yield from event(found, tenant_id, bytes(self._server.decoded(path, raw, _Event).data))

    def _list(self, path: list[str], query: Mapping[str, object]) -> Iterator[bytes]:
        cursor: str | None = None
        while True:
            page = self._server.get(path, _Page, {**query, "next": cursor})
            yield from map(bytes, page.models or ())
            if not page.pagination.next or page.pagination.next == cursor:
                return
            cursor = page.pagination.next


def tenant(found: Object) -> Iterator[Item]:
    """An application from a tenant; its uid is the tenant's id. Pure."""
    name = str(found["id"])
    uid = as_uid(name, "app_")
    if uid != name:
        yield Note(
            "id of a tenant cannot be a uid here (letters, digits, '-', '_', '.'), and another one is made of it", name
        )
    yield ImportedApplication(
        uid=uid, name=name, metadata=found.get("metadata") or {}, created_at=as_time(found.get("created_at"))
    )


def destination(found: Object, tenant_id: str, topics: list[str]) -> Iterator[Item]:
    """An endpoint from a webhook destination, with its id as uid; other kinds yield a note. Pure."""
    uid, kind = str(found["id"]), str(found["type"])
    if kind != "webhook":
        yield Note(f"destination is of the kind {kind}, which there is no counterpart of: it is left out", uid)
        return
    config, credentials = found.get("config") or {}, found.get("credentials") or {}
    options: dict[str, object] = {}
    if found.get("filter"):
        try:
            options["filter"] = outpost_filter(found["filter"])
            yield Note(FILTER_TAKEN_OVER, uid)
        except InexpressibleError as error:
            yield Note(f"destination has a filter that cannot be said here ({error}): it gets all of its topics", uid)
    if found.get("delivery_metadata"):
        yield Note(
            "destination has delivery metadata, which there is no counterpart of; own headers can say the same", uid
        )
    secret = as_secret(credentials.get("secret"))
    if secret is None:
        yield Note(
            "signing secret is shorter than 24 or longer than 75 bytes, or missing: a new one is made, which the "
            "consumer needs",
            uid,
        )
    old_keys: tuple[ImportedKey, ...] = ()
    previous, until = (
        as_secret(credentials.get("previous_secret")),
        as_time(credentials.get("previous_secret_invalid_at")),
    )
    if previous is not None and until is not None:
        old_keys = (ImportedKey(secret=previous, expires_at=until),)
    headers, left = allowed_headers(_headers(config.get("custom_headers")))
    for name, problem in left.items():
        yield Note(f"header of an endpoint cannot be sent from here: {problem}", f"{uid} {name}")
    wanted, unknown = _event_types(found.get("topics"), topics)
    for pattern in unknown:
        yield Note("destination wants topics by a pattern; it gets those that match it today", f"{uid} {pattern}")
    if wanted == ():
        yield Note("destination wants topics by a pattern that none matches; it is taken over disabled", uid)
    yield ImportedEndpoint(
        application=as_uid(tenant_id, "app_"),
        uid=as_uid(uid, "ep_"),
        url=str(config.get("url") or ""),
        event_types=wanted or None,
        disabled=as_time(found.get("disabled_at")) is not None or wanted == (),
        secret=secret,
        old_keys=old_keys,
        headers=headers,
        metadata=found.get("metadata") or {},
        options=options,
        created_at=as_time(found.get("created_at")),
    )


def event(found: Object, tenant_id: str, data: bytes) -> Iterator[Item]:
    """A message from an event, with its id as event id. Pure."""
    uid, created_at = str(found["id"]), as_time(found.get("time"))
    if created_at is None or not data or data == b"null":
        yield Note("event has no payload or no time, and is left out", uid)
        return
    owner = as_uid(tenant_id, "app_")
    yield ImportedMessage(
        application=owner,
        id=message_id(created_at, "outpost", uid, owner),
        event_type=str(found.get("topic") or ""),
        payload=data,
        event_id=as_uid(uid, "msg_"),
    )


def _headers(value: object) -> Mapping[str, object]:
    """The headers from an object, or from its JSON text."""
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _event_types(value: object, topics: list[str]) -> tuple[tuple[str, ...] | None, list[str]]:
    """The event types (``None`` for all), and the patterns that cannot be expressed here."""
    names = [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else [ALL]
    if not names or ALL in names:
        return None, []
    patterns = [name for name in names if ALL in name]
    found = {name for name in names if ALL not in name}
    for pattern in patterns:
        before, _, after = pattern.partition(ALL)
        matching = {topic for topic in topics if topic.startswith(before) and topic.endswith(after)}
        found |= {pattern} if matching and is_wildcard(pattern) else matching
    return tuple(sorted(found)), [pattern for pattern in patterns if pattern not in found]
