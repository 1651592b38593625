"""Writing to the outbox of an engine's database file from a process that does not run the engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from webhook_engine.outbox import create_table
from webhook_engine.store.sqlite.faults import store_error

__all__ = ["write_to_outbox"]

BUSY_TIMEOUT_S = 20.0


def write_to_outbox(path: Path, write: Callable[[sqlite3.Connection], str]) -> str:
    """Run ``write`` in a transaction on the file at ``path``; durable when this returns what it returned.

    A connection is made for each call, so that it matters neither which thread calls nor whether the process forked.
    Raises ``StoreUnavailableError``.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            try:
                with connection:
                    return write(connection)
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
            # The engine that creates the table has just started, or never ran. A file can shrink only if
            # `auto_vacuum` was set before its first table.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                create_table(connection)
                return write(connection)
    except sqlite3.Error as error:
        raise store_error(path, error) from error
