"""Opening the store of a configuration; the driver is loaded only when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from webhook_engine.config.sections import StoreConfig
from webhook_engine.errors import ConfigError
from webhook_engine.store.moving import Source, Target
from webhook_engine.store.seam import Store
from webhook_engine.store.sqlite import SqliteStore
from webhook_engine.store.sqlite.enqueue import write_to_outbox
from webhook_engine.store.sqlite.moving import opened

if TYPE_CHECKING:
    from webhook_engine.store.members import Member
    from webhook_engine.store.postgresql.inspection import Remark

__all__ = ["find_members", "inspect_server", "open_store", "opened_for_moving", "outbox_writer"]


def open_store(config: StoreConfig) -> Store:
    """The store of a configuration, not opened yet; raises ``ConfigError`` if its driver is not installed."""
    if config.path is not None:
        return SqliteStore(config.path)
    with _drivers():
        from webhook_engine.store.postgresql import PostgresqlStore  # noqa: PLC0415 (its driver is an extra)
    return PostgresqlStore(config.url, config.schema)


def outbox_writer(config: StoreConfig) -> Callable[[Callable[[Any], str]], str]:
    """Make a function that calls a function with a connection to this database, in a transaction of its own.

    It returns the result after the commit. Raises ``StoreUnavailableError``.
    """
    if config.path is not None:
        # Make the path absolute now, as the engine does: the process may change its directory.
        path = config.path.resolve()
        return lambda write: write_to_outbox(path, write)
    with _drivers():
        from webhook_engine.store.postgresql import enqueue  # noqa: PLC0415 (its driver is an extra)
    return lambda write: enqueue.write_to_outbox(config.url, config.schema, write)


async def find_members(config: StoreConfig) -> Sequence[Member]:
    """The engines on a database server; raises ``StoreUnavailableError`` if it cannot be reached."""
    with _drivers():
        from webhook_engine.store.postgresql import inspection  # noqa: PLC0415 (its driver is an extra)
    return await inspection.find_members(config.url, config.schema)


async def inspect_server(config: StoreConfig) -> Sequence[Remark]:
    """Check a database on a server; returns remarks. Raises ``StoreUnavailableError`` if it cannot be reached."""
    with _drivers():
        from webhook_engine.store.postgresql.inspection import inspect_database  # noqa: PLC0415 (its driver is an extra)
    return await inspect_database(config.url, config.schema)


@asynccontextmanager
async def opened_for_moving(source: StoreConfig, target: StoreConfig) -> AsyncIterator[tuple[Source, Target]]:
    """Open the SQLite file of one configuration as source, and the PostgreSQL database of another as target.

    Raises ``ConfigError`` if they are not such, and ``StoreError`` if they cannot be used now.
    """
    if source.path is None or target.path is not None:
        raise ConfigError(
            f"a copy goes from an SQLite file to a PostgreSQL database, and not from {source.shown} to {target.shown}"
        )
    with _drivers():
        from webhook_engine.store.postgresql import moving  # noqa: PLC0415 (its driver is an extra)
    with opened(source.path) as what:
        async with moving.opened(target.url, target.schema) as where:
            yield what, where


@contextmanager
def _drivers() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("asyncpg", "psycopg"):
            raise
        raise ConfigError(
            f"store.url: the driver {error.name} is not installed; pip install 'webhook-engine[postgresql]'"
        ) from error
