"""The SQL of a kind of database: how the outbox table is made, and how a row is inserted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal, NamedTuple

from webhook_engine.errors import ValidationError
from webhook_engine.outbox.row import NewRow

__all__ = [
    "DIALECTS",
    "MYSQL",
    "POSTGRESQL",
    "SQLITE",
    "TABLE",
    "Dialect",
    "DialectName",
    "dialect_named",
    "insert_sql",
]

TABLE = "webhook_outbox"

DialectName = Literal["sqlite", "postgresql", "mysql"]


class Dialect(NamedTuple):
    """A kind of database. Its table is defined in the file ``<name>.sql`` beside this one."""

    name: DialectName

    def table_sql(self) -> str:
        """The definition of the table and its index; harmless where they are there already."""
        return files("webhook_engine.outbox").joinpath(f"{self.name}.sql").read_text("utf-8")

    def table_statements(self) -> Sequence[str]:
        """The same one by one: many drivers take one statement at a time, or commit before a script."""
        return [statement.rstrip(";") for block in self.table_sql().split("\n\n") if (statement := block.strip())]

    def drop_statements(self) -> Sequence[str]:
        """What removes the table and all that was made with it; harmless where they are not there."""
        table = f"DROP TABLE IF EXISTS {TABLE}"
        # A trigger goes with its table, but not the function that it calls.
        return (table, f"DROP FUNCTION IF EXISTS {TABLE}_notify()") if self.name == "postgresql" else (table,)


SQLITE = Dialect("sqlite")
POSTGRESQL = Dialect("postgresql")
MYSQL = Dialect("mysql")
DIALECTS = (SQLITE, POSTGRESQL, MYSQL)


def dialect_named(name: str) -> Dialect:
    """The dialect of a database, by the name that it has here, or at SQLAlchemy or Django."""
    wanted = "mysql" if name == "mariadb" else name
    for dialect in DIALECTS:
        if dialect.name == wanted:
            return dialect
    raise ValidationError("dialect", f"must be sqlite, postgresql or mysql, not {name!r}")


def insert_sql(placeholder: Literal["?", "%s", "$", ":"]) -> str:
    """The statement that inserts a ``NewRow``, the same for all databases but for the form of placeholders.

    ``?`` and ``%s`` stand for values in their order, ``$`` is followed by a number, and ``:`` by the name of a column.
    """
    columns = NewRow._fields
    values = {
        "?": ["?"] * len(columns),
        "%s": ["%s"] * len(columns),
        "$": [f"${position}" for position in range(1, len(columns) + 1)],
        ":": [f":{name}" for name in columns],
    }
    return f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({', '.join(values[placeholder])})"  # noqa: S608 (ours)
