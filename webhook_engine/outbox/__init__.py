"""The transactional outbox: a message is written by the program itself, in the transaction of its own change.

>>> with sqlite3.connect("app.db") as db:
...     db.execute("UPDATE invoice SET paid = 1 WHERE id = 1")
...     enqueue(db, application="acme", event_type="invoice.paid", payload={"id": 1})

The message is committed or rolled back together with the change; nothing here ever commits. An engine that watches
the database takes it from there. This package imports nothing but the standard library and a few small modules, so
that the programs that enqueue do not pay for the engine.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Unpack

from webhook_engine.outbox.dialect import DialectName, dialect_named
from webhook_engine.outbox.drivers import Connection, driver_connection, driver_of
from webhook_engine.outbox.row import MessageFields, make_row
from webhook_engine.outbox.wakeup import wake
from webhook_engine.rules.encoding import Default
from webhook_engine.rules.message import MessageDraft
from webhook_engine.rules.payload import Payload

__all__ = [
    "Payload",
    "create_table",
    "create_table_async",
    "drop_table",
    "drop_table_async",
    "enqueue",
    "enqueue_async",
    "table_sql",
]


def enqueue(
    connection: Connection,
    *,
    application: str,
    event_type: str | None = None,
    payload: Payload | None = None,
    event: object | None = None,
    event_id: str | None = None,
    channels: Collection[str] | None = None,
    tags: Collection[str] | None = None,
    deliver_at: datetime | None = None,
    organization: str | None = None,
    default: Default | None = None,
    schema: str | None = None,
    ordering_key: str | None = None,
) -> str:
    """Write a message to the outbox in the connection's current transaction; returns the message's id.

    ``connection``: of ``sqlite3``; a ``Connection``, ``Session`` or raw connection of SQLAlchemy; Django's; or a DB-API
    connection to PostgreSQL (psycopg, psycopg2, pg8000) or MySQL (PyMySQL, mysqlclient, MySQL Connector, MariaDB
    Connector).
    ``application``: the id or uid of the consumer, which need not exist before the transaction is committed.
    ``payload``: ``bytes`` or ``str`` are sent exactly as given; a mapping, list, dataclass or model is encoded as
    compact JSON, dates, times, ``Decimal``, ``UUID`` and ``Enum`` in the usual forms.
    ``event``: instead of event type and payload, an instance of a class declared with :func:`webhook_engine.event`; it
    is validated.
    ``event_id``: your own id, unique per application; of several messages with it only one is sent.
    ``channels``: 1 to 10; only endpoints without channels, or with one of these, get the message.
    ``tags``: up to 5, to find the message again.
    ``deliver_at``: the earliest time of delivery, up to 31 days ahead; a naive ``datetime`` counts as UTC.
    ``ordering_key``: endpoints with ordered delivery keep the order of messages with the same key.
    ``organization``: the tenant (``org_…``) that the application belongs to, if there are several.
    ``schema``: where the table is, if not on the connection's search path: a schema of PostgreSQL, a database of MySQL.
    ``default``: as for ``json.dumps``, for other types; ``NotImplemented`` falls back to the usual forms.

    Raises ``ValidationError`` for an invalid value, before anything is written. What cannot be known here (whether the
    application exists) is checked by the engine, which keeps a row that it cannot deliver in the table with its
    ``error``. Errors of the database itself are passed on.
    """
    draft = MessageDraft.of(
        event=event,
        event_type=event_type,
        payload=payload,
        event_id=event_id,
        channels=channels,
        tags=tags,
        deliver_at=deliver_at,
        default=default,
        ordering_key=ordering_key,
    )
    row = make_row(draft, application=application, organization=organization)
    connection = driver_connection(connection)
    driver_of(connection, asynchronous=False).insert(connection, row, schema)
    wake()
    return row.message_id


async def enqueue_async(
    connection: Connection,
    *,
    application: str,
    organization: str | None = None,
    schema: str | None = None,
    **message: Unpack[MessageFields],
) -> str:
    """Like :func:`enqueue`, for the connection of an asynchronous library.

    ``connection``: of aiosqlite; an ``AsyncConnection`` or ``AsyncSession`` of SQLAlchemy; of psycopg or asyncpg to
    PostgreSQL; of aiomysql or asyncmy to MySQL.
    """
    row = make_row(MessageDraft.of(**message), application=application, organization=organization)
    await driver_of(connection, asynchronous=True).insert_async(connection, row, schema)
    wake()
    return row.message_id


def create_table(connection: Connection, *, schema: str | None = None) -> None:
    """Create the outbox table if it does not exist, in the connection's current transaction if there is one.

    ``schema``: where to create it, as for :func:`enqueue`; the schema must exist.

    MySQL commits that transaction, as it does for every DDL statement. The engine creates the table in its own database
    file by itself.
    """
    connection = driver_connection(connection)
    driver_of(connection, asynchronous=False).create_table(connection, schema)


async def create_table_async(connection: Connection, *, schema: str | None = None) -> None:
    """Like :func:`create_table`, for the connection of an asynchronous library."""
    await driver_of(connection, asynchronous=True).create_table_async(connection, schema)


def drop_table(connection: Connection, *, schema: str | None = None) -> None:
    """Drop the outbox table if it exists, with everything that was created with it and the messages in it."""
    connection = driver_connection(connection)
    driver_of(connection, asynchronous=False).drop_table(connection, schema)


async def drop_table_async(connection: Connection, *, schema: str | None = None) -> None:
    """Like :func:`drop_table`, for the connection of an asynchronous library."""
    await driver_of(connection, asynchronous=True).drop_table_async(connection, schema)


def table_sql(dialect: DialectName = "sqlite", *, schema: str | None = None) -> str:
    """The SQL definition of the outbox table, for use in your own migrations."""
    return dialect_named(dialect).table_sql(schema)
