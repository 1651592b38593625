"""The store in SQLite. Nothing outside this package knows its SQL."""

from webhook_engine.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
