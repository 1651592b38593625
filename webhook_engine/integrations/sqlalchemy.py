"""SQLAlchemy: the outbox table in your own metadata, so that ``create_all`` and Alembic know it.

>>> outbox_table(Base.metadata)
>>> with Session(engine) as session, session.begin():
...     enqueue(session, application="acme", event_type="invoice.paid", payload={"id": 1})
"""

from __future__ import annotations

from sqlalchemy import MetaData, Table, event
from sqlalchemy.engine import Connection

from webhook_engine.outbox import create_table, enqueue, enqueue_async
from webhook_engine.outbox.dialect import TABLE

__all__ = ["create_table", "enqueue", "enqueue_async", "is_outbox", "outbox_table"]


def outbox_table(metadata: MetaData) -> None:
    """Make the outbox table whenever ``metadata.create_all`` makes its tables, on whatever database it is.

    In an Alembic migration, ``create_table(op.get_bind())`` does the same.
    """

    def create(_: MetaData, connection: Connection, **__: object) -> None:
        create_table(connection)

    def drop(_: MetaData, connection: Connection, **__: object) -> None:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {TABLE}")

    event.listen(metadata, "after_create", create)
    event.listen(metadata, "before_drop", drop)


def is_outbox(table: Table | str) -> bool:
    """Whether a table is the outbox, for Alembic's ``include_object``: it belongs to no model."""
    return (table if isinstance(table, str) else table.name) == TABLE
