"""The supported database libraries: recognising their connections, and running statements with them.

A library is recognised without an import: if it is not loaded, no connection can come from it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from webhook_engine.errors import ValidationError
from webhook_engine.outbox.dialect import MYSQL, POSTGRESQL, SQLITE, TABLE, Dialect, dialect_named, insert_sql
from webhook_engine.outbox.row import NewRow

__all__ = ["Connection", "Driver", "WithCursor", "WithExecute", "driver_connection", "driver_of"]


class WithCursor(Protocol):
    """A DB-API connection, or Django's."""

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Make a cursor."""
        ...


class WithExecute(Protocol):
    """A connection or session of SQLAlchemy, or a connection of asyncpg."""

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run a statement."""
        ...


Connection = WithCursor | WithExecute
"""A connection or session of a supported library; this is checked when it is used."""


class Driver(NamedTuple):
    """How to use the connections of one library."""

    name: str
    """Module and class of its connections."""
    asynchronous: bool
    placeholder: Literal["?", "%s", "$", ":"]
    dialect: Callable[[Any], Any]
    """Returns the dialect of a connection; awaitable for an asynchronous library."""
    execute: Callable[[Any, str, NewRow | None], Any]
    """Runs a statement in the connection's current transaction; awaitable for an asynchronous library."""

    @property
    def library(self) -> str:
        """The name of the library."""
        return self.name.partition(".")[0]

    def made(self, connection: object) -> bool:
        """Whether a connection comes from this library."""
        module_name, _, class_name = self.name.rpartition(".")
        module = sys.modules.get(module_name)
        return module is not None and isinstance(connection, getattr(module, class_name, ()))

    def insert(self, connection: Any, row: NewRow, schema: str | None = None) -> None:
        """Insert a row."""
        try:
            # The statement differs between databases only if a schema is given.
            table = TABLE if schema is None else self.dialect(connection).named(TABLE, schema)
            self.execute(connection, insert_sql(self.placeholder, table), row)
        except Exception as error:
            _explain(error, create="create_table(connection)")
            raise

    async def insert_async(self, connection: Any, row: NewRow, schema: str | None = None) -> None:
        """Insert a row."""
        try:
            table = TABLE if schema is None else (await self.dialect(connection)).named(TABLE, schema)
            await self.execute(connection, insert_sql(self.placeholder, table), row)
        except Exception as error:
            _explain(error, create="await create_table_async(connection)")
            raise

    def create_table(self, connection: Any, schema: str | None = None) -> None:
        """Create the table if it does not exist."""
        for statement in self.dialect(connection).table_statements(schema):
            self.execute(connection, statement, None)

    async def create_table_async(self, connection: Any, schema: str | None = None) -> None:
        """Create the table if it does not exist."""
        for statement in (await self.dialect(connection)).table_statements(schema):
            await self.execute(connection, statement, None)

    def drop_table(self, connection: Any, schema: str | None = None) -> None:
        """Drop the table if it exists."""
        for statement in self.dialect(connection).drop_statements(schema):
            self.execute(connection, statement, None)

    async def drop_table_async(self, connection: Any, schema: str | None = None) -> None:
        """Drop the table if it exists."""
        for statement in (await self.dialect(connection)).drop_statements(schema):
            await self.execute(connection, statement, None)


def driver_connection(connection: Any) -> Any:
    """The driver's connection behind a ``raw_connection()`` of SQLAlchemy; any other is returned as it is."""
    pool = sys.modules.get("sqlalchemy.pool")
    return connection.driver_connection if pool and isinstance(connection, pool.PoolProxiedConnection) else connection


def driver_of(connection: object, *, asynchronous: bool) -> Driver:
    """The driver of a connection; raises ``ValidationError`` if the library is not supported."""
    driver = next((driver for driver in _DRIVERS if driver.made(connection)), None)
    if driver is None and connection is None:
        raise ValidationError(
            "connection",
            "must be a connection, not None; a migration that is only printed has none (Alembic's --sql): use "
            "create_outbox and drop_outbox of webhook_engine.integrations.sqlalchemy there",
        )
    if driver is None and asynchronous and driver_connection(connection) is not connection:
        raise ValidationError(
            "connection", "must be the AsyncConnection itself; its raw connection knows nothing of its transaction"
        )
    if driver is None:
        libraries = dict.fromkeys(one.library for one in _DRIVERS if one.asynchronous is asynchronous)
        kind = "an asynchronous connection" if asynchronous else "a connection"
        raise ValidationError(
            "connection", f"must be {kind} of {', '.join(libraries)}; not a {type(connection).__qualname__}"
        )
    if driver.asynchronous and not asynchronous:
        raise ValidationError("connection", f"a {driver.name} needs the asynchronous form of this function, …_async")
    if asynchronous and not driver.asynchronous:
        raise ValidationError("connection", f"a {driver.name} needs this function without _async")
    return driver


def _explain(error: Exception, *, create: str) -> None:
    """Add advice to the database's error if the outbox table does not exist."""
    words = str(error)
    if TABLE in words and any(missing in words for missing in ("no such table", "does not exist", "doesn't exist")):
        error.add_note(f"This database has no outbox yet; make it once with webhook_engine.outbox.{create}.")
    if type(error).__name__ == "UnboundExecutionError":
        error.add_note(
            "This session has several databases. Enqueue in its connection to the one that has the outbox, which is in "
            "the same transaction, and say which by a model that is kept there: "
            'session.connection(bind_arguments={"mapper": Invoice}).'
        )


# Running statements.


def _directly(connection: Any, statement: str, values: Sequence[object] | None) -> None:
    connection.execute(statement, *_given(values))


def _by_cursor(connection: Any, statement: str, values: Sequence[object] | None) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement, *_given(values))
    finally:
        cursor.close()


async def _directly_async(connection: Any, statement: str, values: Sequence[object] | None) -> None:
    cursor = await connection.execute(statement, *_given(values))
    await cursor.close()


async def _by_cursor_async(connection: Any, statement: str, values: Sequence[object] | None) -> None:
    async with connection.cursor() as cursor:
        await cursor.execute(statement, *_given(values))


async def _by_arguments_async(connection: Any, statement: str, values: Sequence[object] | None) -> None:
    await connection.execute(statement, *(values or ()))


def _as_text(connection: Any, statement: str, row: NewRow | None) -> Any:
    """For SQLAlchemy, in whose text only names follow colons; awaitable for an asynchronous connection."""
    text = sys.modules["sqlalchemy"].text
    if row is None:
        return connection.execute(text(statement.replace(":", "\\:")))
    return connection.execute(text(statement), row._asdict())


def _given(values: Sequence[object] | None) -> tuple[Sequence[object], ...]:
    return () if values is None else (tuple(values),)


# The dialect of a connection.


def _always(dialect: Dialect) -> Callable[[Any], Dialect]:
    return lambda _: dialect


def _always_async(dialect: Dialect) -> Callable[[Any], Awaitable[Dialect]]:
    async def known(_: Any) -> Dialect:
        return dialect

    return known


def _of_sqlalchemy(connection: Any) -> Dialect:
    owner = connection if hasattr(connection, "dialect") else connection.connection()
    return dialect_named(owner.dialect.name)


async def _of_sqlalchemy_async(connection: Any) -> Dialect:
    owner = connection if hasattr(connection, "dialect") else await connection.connection()
    return dialect_named(owner.dialect.name)


def _of_django(connection: Any) -> Dialect:
    return dialect_named(connection.vendor)


_DRIVERS = (
    Driver("sqlite3.Connection", False, "?", _always(SQLITE), _directly),
    Driver("aiosqlite.Connection", True, "?", _always_async(SQLITE), _directly_async),
    *(
        Driver(f"sqlalchemy.{name}", False, ":", _of_sqlalchemy, _as_text)
        for name in ("engine.Connection", "orm.Session", "orm.scoped_session")
    ),
    *(
        Driver(f"sqlalchemy.ext.asyncio.{name}", True, ":", _of_sqlalchemy_async, _as_text)
        for name in ("AsyncConnection", "AsyncSession", "async_scoped_session")
    ),
    *(
        Driver(name, False, "%s", _of_django, _by_cursor)
        for name in ("django.utils.connection.ConnectionProxy", "django.db.backends.base.base.BaseDatabaseWrapper")
    ),
    *(
        Driver(name, False, "%s", _always(POSTGRESQL), _by_cursor)
        for name in ("psycopg.Connection", "psycopg2.extensions.connection", "pg8000.dbapi.Connection")
    ),
    *(
        Driver(name, False, "%s", _always(MYSQL), _by_cursor)
        for name in (
            "pymysql.connections.Connection",
            "MySQLdb.connections.Connection",
            "mysql.connector.abstracts.MySQLConnectionAbstract",
            "mariadb.connections.Connection",
        )
    ),
    Driver("psycopg.AsyncConnection", True, "%s", _always_async(POSTGRESQL), _directly_async),
    *(
        Driver(f"asyncpg.{name}", True, "$", _always_async(POSTGRESQL), _by_arguments_async)
        for name in ("connection.Connection", "pool.PoolConnectionProxy")
    ),
    *(
        Driver(f"{name}.Connection", True, "%s", _always_async(MYSQL), _by_cursor_async)
        for name in ("aiomysql", "asyncmy.connection")
    ),
)
