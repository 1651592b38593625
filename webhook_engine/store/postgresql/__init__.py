"""The store in PostgreSQL. Nothing outside this package knows its SQL."""

from webhook_engine.store.postgresql.store import PostgresqlStore

__all__ = ["PostgresqlStore"]
