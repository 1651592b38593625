"""Reads a running Convoy server through its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from webhook_engine.importing.conversion import as_time
from webhook_engine.importing.convoy_records import (
    application,
    endpoint,
    event_type,
    messages,
    owner_uid,
    project_notes,
    require_outgoing,
)
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.source import Item, SourceError

__all__ = ["ConvoyServer"]

PAGE = 100
EVENTS = 20


class _Answer(msgspec.Struct):
    data: msgspec.Raw
    status: bool = True
    message: str = ""


class _Pagination(msgspec.Struct):
    has_next_page: bool = False
    next_page_cursor: str = ""


class _Page(msgspec.Struct):
    content: list[dict[str, Any]] | None
    pagination: _Pagination


class _Event(msgspec.Struct):
    """The parts of an event whose JSON is kept exactly as written."""

    uid: str
    data: msgspec.Raw = msgspec.Raw(b"")
    raw: str = ""


class _Events(msgspec.Struct):
    content: list[msgspec.Raw] | None
    pagination: _Pagination


class ConvoyServer:
    """One project: its event types, and its endpoints with their subscriptions."""

    def __init__(self, server: HttpServer, project: str) -> None:
        self.name = f"Convoy at {server.url}, project {project}"
        self._server = server
        self._project = project

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """See :class:`~webhook_engine.importing.source.Source`."""
        project = self._get([], dict[str, Any])
        require_outgoing(project)
        yield from project_notes(project)
        for found in self._event_types():
            yield from event_type(found)
        made: set[str] = set()
        owners: dict[str, str] = {}
        for found in self._pages(["endpoints"]):
            owner = owners[str(found["uid"])] = owner_uid(found, self._project)
            if owner not in made:
                made.add(owner)
                yield application(found, project, self._project)
            subscriptions = list(self._pages(["subscriptions"], endpointId=found["uid"]))
            yield from endpoint(found, subscriptions, self._project)
        if messages_since is not None:
            yield from self._messages(messages_since, owners)

    def _event_types(self) -> Iterator[dict[str, Any]]:
        """Yield the event types; versions before 25 have none."""
        body = self._server.find(self._path(["event-types"]), _Answer)
        if body is None:
            return
        kind: Any = dict[str, Any] | list[dict[str, Any]]
        found = self._server.decoded(self._path(["event-types"]), bytes(body.data), kind)
        yield from found if isinstance(found, list) else found.get("event_types") or found.get("content") or ()

    def _messages(self, since: datetime, owners: Mapping[str, str]) -> Iterator[Item]:
        path = self._path(["events"])
        cursor = ""
        start = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        while True:
            answer = self._server.get(path, _Answer, {**_paging(EVENTS, cursor), "startDate": start})
            page = self._server.decoded(path, bytes(answer.data), _Events)
            for raw in page.content or ():
                body = bytes(raw)
                found = self._server.decoded(path, body, dict[str, Any])
                if (created_at := as_time(found.get("created_at"))) is not None and created_at < since:
                    continue  # the query has whole seconds only
                exact = self._server.decoded(path, body, _Event)
                yield from messages(found, owners, exact.raw.encode() or bytes(exact.data))
            following = page.pagination
            if not following.has_next_page or not following.next_page_cursor or following.next_page_cursor == cursor:
                return
            cursor = following.next_page_cursor

    def _pages(self, path: Sequence[str], **query: object) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self._get(path, _Page, {**query, **_paging(PAGE, cursor)})
            yield from page.content or ()
            following = page.pagination
            if not following.has_next_page or not following.next_page_cursor or following.next_page_cursor == cursor:
                return
            cursor = following.next_page_cursor

    def _get(self, path: Sequence[str], kind: Any, query: Mapping[str, object] | None = None) -> Any:
        whole = self._path(path)
        answer = self._server.find(whole, _Answer, query)
        if answer is None:
            raise SourceError(
                f"{self._server.url} has no project {self._project!r} (or is no Convoy server): --project is the id "
                "in the address of the project's page"
            )
        return self._server.decoded(whole, bytes(answer.data), kind)

    def _path(self, path: Sequence[str]) -> list[str]:
        return ["api", "v1", "projects", self._project, *path]


def _paging(size: int, cursor: str) -> dict[str, object]:
    return {"perPage": size, "direction": "next", "next_page_cursor": cursor or None}
