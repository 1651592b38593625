"""Copies a database file while others write to it, and checks one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from webhook_engine.errors import StoreError
from webhook_engine.store.sqlite.faults import store_error

__all__ = ["clock_seen_at", "copy_database", "problems_of", "shrinks"]

PATIENCE_S = 60.0
MOST_PROBLEMS = 10


def copy_database(source: Path, target: Path) -> None:
    """Write a snapshot of the database to the new file ``target``, while an engine may go on.

    The copy holds no free space, and gets smaller step by step later, even if the source does not.
    """
    if not source.exists():
        raise StoreError(f"{source}: there is no database; name the one of the engine in store.url")
    try:
        with closing(_open(source, "mode=rw")) as db:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of the copy; nothing in the source changes
            db.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise store_error(source, error) from error


def problems_of(path: Path) -> list[str]:
    """SQLite's messages about damage of the file; empty if it is intact."""
    try:
        with closing(_open(path, "mode=ro")) as db:
            found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})")]
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'webhook_schema'").fetchall():
                found.append("it has no tables of Webhook Engine")
    except sqlite3.Error as error:
        return [str(error)]
    return [each for each in found if each != "ok"]


def shrinks(path: Path) -> bool:
    """Whether the file can be shrunk in steps (``auto_vacuum`` is incremental)."""
    try:
        with closing(_open(path, "mode=ro")) as db:
            return bool(db.execute("PRAGMA auto_vacuum").fetchone()[0])
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def clock_seen_at(path: Path) -> int | None:
    """The last reading of the clock by an engine on the file, in microseconds; ``None`` if it cannot be read."""
    try:
        with closing(_open(path, "mode=ro")) as db:
            row = db.execute("SELECT seen_at FROM webhook_clock").fetchone()
    except sqlite3.Error:  # A file of an older release has no such table; what is wrong with others is said elsewhere.
        return None
    return int(row[0]) if row else None


def _open(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True, timeout=PATIENCE_S, isolation_level=None)
