"""SQLAlchemy and Alembic: creates the outbox table with your own tables, and keeps autogenerate away from it.

>>> outbox_table(Base.metadata)
>>> with Session(engine) as session, session.begin():
...     enqueue(session, application="acme", event_type="invoice.paid", payload={"id": 1})
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import MetaData, Table, event, text
from sqlalchemy.engine import Connection

from webhook_engine.outbox import create_table, drop_table, enqueue, enqueue_async
from webhook_engine.outbox.dialect import TABLE, dialect_named

__all__ = [
    "create_outbox",
    "create_table",
    "drop_outbox",
    "drop_table",
    "enqueue",
    "enqueue_async",
    "include_object",
    "is_engine_table",
    "is_outbox",
    "outbox_table",
]

ENGINE_TABLES = frozenset(
    {
        TABLE,
        "webhook_application",
        "webhook_attempt",
        "webhook_audit",
        "webhook_clock",
        "webhook_delivery",
        "webhook_endpoint",
        "webhook_event_type",
        "webhook_kept_response",
        "webhook_manual_attempt",
        "webhook_message",
        "webhook_play_inbox",
        "webhook_play_request",
        "webhook_portal_link",
        "webhook_position",
        "webhook_revocation",
        "webhook_schema",
        "webhook_task",
    }
)
"""All tables of an engine in its own database, which may be the host's too."""


def outbox_table(metadata: MetaData, *, schema: str | None = None) -> None:
    """Create the outbox table whenever ``metadata.create_all`` creates its tables, in any database.

    ``schema`` is where to create it, as for :func:`webhook_engine.outbox.enqueue`; the schema must exist. In an Alembic
    migration, :func:`create_outbox` does the same.
    """

    def create(_: MetaData, connection: Connection, **__: object) -> None:
        create_table(connection, schema=schema)

    def drop(_: MetaData, connection: Connection, **__: object) -> None:
        drop_table(connection, schema=schema)

    event.listen(metadata, "after_create", create)
    event.listen(metadata, "before_drop", drop)


def create_outbox(op: Any, *, schema: str | None = None) -> None:
    """Create the outbox table in an Alembic migration; pass ``alembic.op``. Works with ``--sql``, too."""
    _execute(op, dialect_named(op.get_context().dialect.name).table_statements(schema))


def drop_outbox(op: Any, *, schema: str | None = None) -> None:
    """Drop what :func:`create_outbox` created."""
    _execute(op, dialect_named(op.get_context().dialect.name).drop_statements(schema))


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """For Alembic's ``context.configure(…, include_object=include_object)``: ignores the engine's tables.

    If you have such a function already, call :func:`is_engine_table` in it.
    """
    return not (kind == "table" and is_engine_table(item if name is None else name))


def is_engine_table(table: Table | str) -> bool:
    """Whether a table is the outbox or another table of an engine that shares the database with its host."""
    return (table if isinstance(table, str) else table.name) in ENGINE_TABLES


def is_outbox(table: Table | str) -> bool:
    """An alias of :func:`is_engine_table`, from when the outbox was the only such table."""
    return is_engine_table(table)


def _execute(op: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        op.execute(text(statement.replace(":", "\\:")))
