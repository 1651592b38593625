"""SQLAlchemy and Alembic: the outbox table beside your own, made with them and left alone where it has to be.

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
"""All that an engine has in its own database, which may be the host's too."""


def outbox_table(metadata: MetaData, *, schema: str | None = None) -> None:
    """Make the outbox table whenever ``metadata.create_all`` makes its tables, on whatever database it is.

    ``schema`` says where, as for :func:`webhook_engine.outbox.enqueue`; it must be there already. In an Alembic
    migration, :func:`create_outbox` does the same.
    """

    def create(_: MetaData, connection: Connection, **__: object) -> None:
        create_table(connection, schema=schema)

    def drop(_: MetaData, connection: Connection, **__: object) -> None:
        drop_table(connection, schema=schema)

    event.listen(metadata, "after_create", create)
    event.listen(metadata, "before_drop", drop)


def create_outbox(op: Any, *, schema: str | None = None) -> None:
    """Make the outbox table in an Alembic migration: give it ``alembic.op``. It prints with ``--sql``, too."""
    _execute(op, dialect_named(op.get_context().dialect.name).table_statements(schema))


def drop_outbox(op: Any, *, schema: str | None = None) -> None:
    """Undo :func:`create_outbox`."""
    _execute(op, dialect_named(op.get_context().dialect.name).drop_statements(schema))


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """For Alembic's ``context.configure(…, include_object=include_object)``: the engine's tables belong to no model.

    In one of your own, ask :func:`is_engine_table`.
    """
    return not (kind == "table" and is_engine_table(item if name is None else name))


def is_engine_table(table: Table | str) -> bool:
    """Whether a table is the outbox or, in a database that an engine shares with its host, another of the engine."""
    return (table if isinstance(table, str) else table.name) in ENGINE_TABLES


def is_outbox(table: Table | str) -> bool:
    """The same as :func:`is_engine_table`, by the name that it had when the outbox was the only such table."""
    return is_engine_table(table)


def _execute(op: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        op.execute(text(statement.replace(":", "\\:")))
