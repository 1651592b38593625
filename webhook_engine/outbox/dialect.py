"""The SQL of a kind of database: the table, and how a row is inserted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from webhook_engine.outbox.row import OutboxRow

__all__ = ["SQLITE", "TABLE", "Dialect"]

TABLE = "webhook_outbox"


class Dialect(NamedTuple):
    """A kind of database. Its table is defined in the file ``<name>.sql`` beside this one."""

    name: str
    insert: str
    """One row, with placeholders for the values of an ``OutboxRow`` in their order."""

    def table_sql(self) -> str:
        """The definition of the table and its index; harmless where they are there already."""
        return files("webhook_engine.outbox").joinpath(f"{self.name}.sql").read_text("utf-8")

    def table_statements(self) -> Sequence[str]:
        """The same one by one: many drivers take one statement at a time, or commit before a script."""
        return [statement for block in self.table_sql().split("\n\n") if (statement := block.strip())]


def _insert(placeholder: str) -> str:
    columns = OutboxRow._fields
    values = ", ".join([placeholder] * len(columns))
    return f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 (names of ours)


SQLITE = Dialect("sqlite", _insert("?"))
