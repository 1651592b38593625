"""Assertions on what a program has written to the outbox, in its own transaction. No engine is needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook_engine.outbox.dialect import TABLE
from webhook_engine.outbox.drivers import Connection, Driver, driver_connection, driver_of
from webhook_engine.secrets.signing import JsonValue
from webhook_engine.testing.expectation import ANY, Expectation, describe

__all__ = [
    "Enqueued",
    "assert_enqueued",
    "assert_enqueued_async",
    "assert_nothing_enqueued",
    "enqueued",
    "enqueued_async",
]

_COLUMNS = (
    "application, event_type, payload, event_id, channels, tags, deliver_at, organization, message_id"  # as in Enqueued
)
_SELECT = f"SELECT {_COLUMNS} FROM {TABLE} WHERE error IS NULL ORDER BY id"  # noqa: S608 (our own names)


@dataclass(frozen=True)
class Enqueued:
    """An outbox row that no engine has accepted yet."""

    application: str
    event_type: str
    body: bytes
    """The exact bytes that will be sent."""
    event_id: str | None = None
    channels: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    deliver_at: datetime | None = None
    organization: str | None = None
    message_id: str | None = None

    @property
    def payload(self) -> JsonValue:
        """The body, read as JSON; the text itself where it is no JSON."""
        try:
            value: JsonValue = json.loads(self.body)
        except ValueError:
            return self.body.decode("utf-8", "replace")
        return value

    def __str__(self) -> str:
        return f"{self.event_type} {self.payload!r} for {self.application}"


def enqueued(connection: Connection | None = None) -> list[Enqueued]:
    """The rows in the outbox, in order, as the connection's current transaction sees them.

    ``connection`` is what :func:`~webhook_engine.outbox.enqueue` takes; without one, Django's default connection.
    """
    source = driver_connection(_django_connection() if connection is None else connection)
    driver = driver_of(source, asynchronous=False)
    if driver.library == "sqlalchemy":
        return _read(source.execute(sys.modules["sqlalchemy"].text(_SELECT)).all())
    cursor = source.cursor()
    try:
        cursor.execute(_SELECT)
        return _read(cursor.fetchall())
    finally:
        cursor.close()


async def enqueued_async(connection: Connection) -> list[Enqueued]:
    """Like :func:`enqueued`, for the connection of an asynchronous library."""
    driver = driver_of(connection, asynchronous=True)
    return _read(await _selected(driver, connection))


def assert_enqueued(
    connection: Connection | None = None,
    *,
    event_type: str | None = None,
    payload: object = ANY,
    application: str | None = None,
    event_id: str | None = None,
    channels: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    organization: str | None = None,
    times: int | None = None,
) -> Enqueued:
    """Raise ``AssertionError`` unless a matching message is in the outbox; returns it. The error lists the messages.

    Arguments that are not given match anything. ``payload`` is compared as JSON, or is a predicate.
    ``times`` is how many must match, at least one by default. ``connection`` is as for :func:`enqueued`.
    """
    return _expectation(event_type, payload, application, event_id, channels, tags, organization).found_in(
        enqueued(connection), times
    )


async def assert_enqueued_async(
    connection: Connection,
    *,
    event_type: str | None = None,
    payload: object = ANY,
    application: str | None = None,
    event_id: str | None = None,
    channels: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    organization: str | None = None,
    times: int | None = None,
) -> Enqueued:
    """Like :func:`assert_enqueued`, for the connection of an asynchronous library."""
    return _expectation(event_type, payload, application, event_id, channels, tags, organization).found_in(
        await enqueued_async(connection), times
    )


def assert_nothing_enqueued(connection: Connection | None = None) -> None:
    """Raise ``AssertionError`` if anything is in the outbox; the error lists it."""
    if there := enqueued(connection):
        raise AssertionError(f"the outbox should be empty; {describe(there)}")


def _expectation(
    event_type: str | None,
    payload: object,
    application: str | None,
    event_id: str | None,
    channels: Collection[str] | None,
    tags: Collection[str] | None,
    organization: str | None,
) -> Expectation[Enqueued]:
    return Expectation(
        "in the outbox",
        {
            "application": application,
            "event_type": event_type,
            "event_id": event_id,
            "channels": None if channels is None else tuple(channels),
            "tags": None if tags is None else tuple(tags),
            "organization": organization,
        },
        payload,
    )


def _django_connection() -> Any:
    if "django.db" not in sys.modules:
        raise TypeError("a connection must be given: the one that the program under test enqueues with")
    return sys.modules["django.db"].connection


async def _selected(driver: Driver, connection: Any) -> Sequence[Any]:
    rows: Sequence[Any]
    if driver.library == "sqlalchemy":
        rows = (await connection.execute(sys.modules["sqlalchemy"].text(_SELECT))).all()
    elif driver.library == "asyncpg":
        rows = await connection.fetch(_SELECT)
    else:
        async with connection.cursor() as cursor:
            await cursor.execute(_SELECT)
            rows = await cursor.fetchall()
    return rows


def _read(rows: Sequence[Any]) -> list[Enqueued]:
    # A connection may be configured to return rows as mappings.
    return [_row(*(row.values() if isinstance(row, Mapping) else row)) for row in rows]


def _row(
    application: str,
    event_type: str,
    body: str | bytes,
    event_id: str | None,
    channels: str | bytes | Sequence[str] | None,
    tags: str | bytes | Sequence[str] | None,
    deliver_at: str | datetime | None,
    organization: str | None,
    message_id: str | None,
) -> Enqueued:
    return Enqueued(
        application=application,
        event_type=event_type,
        body=body.encode() if isinstance(body, str) else bytes(body),
        event_id=event_id,
        channels=_names(channels),
        tags=_names(tags),
        deliver_at=datetime.fromisoformat(deliver_at) if isinstance(deliver_at, str) else deliver_at,
        organization=organization,
        message_id=message_id,
    )


def _names(value: str | bytes | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(json.loads(value)) if isinstance(value, str | bytes) else tuple(value)
