"""The libraries through which programs talk to their database: whose connection it is, and how that one is used.

A library is recognized without being imported: a connection cannot come from one that is not loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from webhook_engine.errors import ValidationError
from webhook_engine.outbox.dialect import SQLITE, TABLE, Dialect
from webhook_engine.outbox.row import OutboxRow

__all__ = ["Driver", "driver_of"]


class Driver(NamedTuple):
    """How to use the connections of one library."""

    module: str
    connection: str
    """The class of its connections, in ``module``."""
    dialect: Dialect
    asynchronous: bool
    insert: Callable[[Any, OutboxRow], Any]
    create_table: Callable[[Any], Any]

    @property
    def name(self) -> str:
        """The class of its connections, as a person would write it."""
        return f"{self.module}.{self.connection}"

    def made(self, connection: object) -> bool:
        """Whether a connection is one of this library."""
        module = sys.modules.get(self.module)
        return module is not None and isinstance(connection, getattr(module, self.connection))


def driver_of(connection: object, *, asynchronous: bool) -> Driver:
    """The driver of a connection; raises ``ValidationError`` if there is none of that sort."""
    driver = next((driver for driver in _DRIVERS if driver.made(connection)), None)
    if driver is None:
        allowed = " or a ".join(driver.name for driver in _DRIVERS if driver.asynchronous is asynchronous)
        raise ValidationError("connection", f"must be a {allowed}, not a {type(connection).__qualname__}")
    if driver.asynchronous and not asynchronous:
        raise ValidationError("connection", f"a {driver.name} needs the asynchronous form of this function, …_async")
    if asynchronous and not driver.asynchronous:
        raise ValidationError("connection", f"a {driver.name} needs this function without _async")
    return driver


def _plain(dialect: Dialect) -> tuple[Callable[[Any, OutboxRow], None], Callable[[Any], None]]:
    """For a connection with ``execute(statement, values)``."""

    def insert(connection: Any, row: OutboxRow) -> None:
        try:
            connection.execute(dialect.insert, row)
        except Exception as error:
            _explain(error, create="create_table(connection)")
            raise

    def create_table(connection: Any) -> None:
        for statement in dialect.table_statements():
            connection.execute(statement)

    return insert, create_table


def _awaited(
    dialect: Dialect,
) -> tuple[Callable[[Any, OutboxRow], Awaitable[None]], Callable[[Any], Awaitable[None]]]:
    """For a connection with ``await execute(statement, values)``."""

    async def insert(connection: Any, row: OutboxRow) -> None:
        try:
            await _run(connection, dialect.insert, row)
        except Exception as error:
            _explain(error, create="await create_table_async(connection)")
            raise

    async def create_table(connection: Any) -> None:
        for statement in dialect.table_statements():
            await _run(connection, statement, ())

    async def _run(connection: Any, statement: str, values: Sequence[object]) -> None:
        cursor = await connection.execute(statement, values)
        await cursor.close()

    return insert, create_table


def _explain(error: Exception, *, create: str) -> None:
    """Add what to do to the database's own words, where the table is missing."""
    if f"no such table: {TABLE}" in str(error):
        error.add_note(f"This database has no outbox yet; make it once with webhook_engine.outbox.{create}.")


_DRIVERS = (
    Driver("sqlite3", "Connection", SQLITE, False, *_plain(SQLITE)),
    Driver("aiosqlite", "Connection", SQLITE, True, *_awaited(SQLITE)),
)
