"""One statement for a whole batch.

A statement for each row would have the writer's thread ask for the interpreter's lock again after each, and wait for it
behind a busy event loop. So the batch goes in whole, and SQLite works it off without the lock: as a ``VALUES`` list of
bound parameters, which costs a third less than one JSON text for ``json_each``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from webhook_engine.store.rows import Row
from webhook_engine.store.sqlite.connection import Session

__all__ = ["BatchStatement"]

MAX_ROWS = 256
"""Rows in one run of a statement; together with the columns it stays below SQLite's 32,766 parameters."""


class BatchStatement:
    """A statement that reads its batch as a table with the columns ``column1``, ``column2`` and so on.

    ``{batch}`` in it stands for that table. The table may end with rows of NULL, which the statement must ignore: it is
    filled up to the next power of two, so that few forms of the statement have to be prepared.
    """

    def __init__(self, sql: str, width: int) -> None:
        self._sql = sql
        self._width = width

    def run(self, session: Session, rows: Sequence[Row]) -> None:
        """Run it for all rows."""
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            power = (len(part) - 1).bit_length()
            padding = (None,) * ((1 << power) - len(part)) * self._width
            session.change(self._forms[power], [*chain.from_iterable(part), *padding])

    @cached_property
    def _forms(self) -> Sequence[str]:
        """The statement for 1, 2, 4, … rows."""
        row = f"({', '.join('?' * self._width)})"
        sizes = [1 << power for power in range(MAX_ROWS.bit_length())]
        return [self._sql.replace("{batch}", f"(VALUES {', '.join([row] * size)})") for size in sizes]
