"""Writing to the outbox of an engine's database from a process that does not run the engine."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.outbox import create_table
from webhook_engine.store.postgresql.connection import search_path, shown

__all__ = ["write_to_outbox"]

CONNECT_TIMEOUT_S = 10
_WAIT_FOR_THE_DISK = """
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""


def write_to_outbox(url: str, schema: str | None, write: Callable[[psycopg.Connection], str]) -> str:
    """Run ``write`` in a transaction on the database; durable when this returns what it returned.

    A connection is made for each call, so that it matters neither which thread calls nor whether the process forked.
    Raises ``StoreUnavailableError``.
    """
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S, prepare_threshold=None) as connection:
            try:
                return _written(connection, schema, write)
            except psycopg.errors.UndefinedTable:
                connection.rollback()
            # The engine that makes the table has only just begun, or never ran.
            _enter(connection, schema)
            create_table(connection)
            return _written(connection, schema, write)
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise StoreUnavailableError(f"{shown(url)}: {words}; try again later", reason="the database") from error


def _written(connection: psycopg.Connection, schema: str | None, write: Callable[[psycopg.Connection], str]) -> str:
    _enter(connection, schema)
    written = write(connection)
    connection.commit()
    return written


def _enter(connection: psycopg.Connection, schema: str | None) -> None:
    # For this transaction only: behind a pooler the next one may be in another session.
    connection.execute(_WAIT_FOR_THE_DISK)
    if schema is not None:
        connection.execute("SELECT set_config('search_path', %s, true)", (search_path(schema),))
