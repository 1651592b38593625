"""The SQL dialects of the outbox: creating the table, and inserting a row."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    """A database dialect. Its table is defined in the file ``<name>.sql`` beside this one."""

    name: DialectName

    def table_sql(self, schema: str | None = None) -> str:
        """The definition of the table and its index; does nothing if they exist."""
        # Only the few programs that create the table need this import, and it takes as long as all others here.
        from importlib.resources import files  # noqa: PLC0415

        text = files("webhook_engine.outbox").joinpath(f"{self.name}.sql").read_text("utf-8")
        if schema is None:
            return text
        place = self.named("", schema)
        # An index is created in the schema of its table; in SQLite the schema is given before the index name instead.
        before = "TABLE IF NOT EXISTS |INDEX IF NOT EXISTS " if self.name == "sqlite" else _BEFORE_NAMES
        return "\n".join(
            line if line.lstrip().startswith("--") else re.sub(f"({before})({TABLE})", rf"\g<1>{place}\g<2>", line)
            for line in text.split("\n")
        )

    def table_statements(self, schema: str | None = None) -> Sequence[str]:
        """The same as single statements: many drivers run one at a time, or commit before a script."""
        blocks = self.table_sql(schema).split("\n\n")
        return [statement.rstrip(";") for block in blocks if (statement := block.strip())]

    def drop_statements(self, schema: str | None = None) -> Sequence[str]:
        """The statements that drop the table and everything created with it; do nothing if it does not exist."""
        name = self.named(TABLE, schema)
        table = f"DROP TABLE IF EXISTS {name}"
        # Dropping a table drops its trigger, but not the function that the trigger calls.
        return (table, f"DROP FUNCTION IF EXISTS {name}_notify()") if self.name == "postgresql" else (table,)

    def named(self, name: str, schema: str | None) -> str:
        """A name qualified by a schema: of PostgreSQL, a database of MySQL, or an attached one of SQLite.

        Raises ``ValidationError`` for an invalid name of a schema.
        """
        if schema is None:
            return name
        if not isinstance(schema, str) or not re.fullmatch(r"[\w-]+", schema):
            raise ValidationError("schema", f"must be letters, digits, '_' and '-', not {schema!r}")
        quote = "`" if self.name == "mysql" else '"'
        return f"{quote}{schema}{quote}.{name}"


_BEFORE_NAMES = "TABLE IF NOT EXISTS | ON |FUNCTION "

SQLITE = Dialect("sqlite")
POSTGRESQL = Dialect("postgresql")
MYSQL = Dialect("mysql")
DIALECTS = (SQLITE, POSTGRESQL, MYSQL)


def dialect_named(name: str) -> Dialect:
    """The dialect of a database, by its name here, or in SQLAlchemy or Django; raises ``ValidationError``."""
    wanted = "mysql" if name == "mariadb" else name
    for dialect in DIALECTS:
        if dialect.name == wanted:
            return dialect
    raise ValidationError("dialect", f"must be sqlite, postgresql or mysql, not {name!r}")


def insert_sql(placeholder: Literal["?", "%s", "$", ":"], table: str = TABLE) -> str:
    """The statement that inserts a ``NewRow``, the same for all databases except for the placeholders.

    ``?`` and ``%s`` stand for values in their order, ``$`` is followed by a number, and ``:`` by the name of a column.
    """
    columns = NewRow._fields
    values = {
        "?": ["?"] * len(columns),
        "%s": ["%s"] * len(columns),
        "$": [f"${position}" for position in range(1, len(columns) + 1)],
        ":": [f":{name}" for name in columns],
    }
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values[placeholder])})"  # noqa: S608 (constants only)
