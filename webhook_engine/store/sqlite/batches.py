"""One statement for a whole batch.

A statement for each row would have the writer's thread ask for the interpreter's lock again after each, and wait for it
behind a busy event loop. So the batch goes in whole, and SQLite works it off without the lock: as a ``VALUES`` list of
bound parameters, which costs a third less than one JSON text for ``json_each``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from webhook_engine.store.rows import Row
from webhook_engine.store.sqlite.connection import Session

__all__ = ["BatchStatement"]

MAX_ROWS = 256
"""Rows in one run of a statement; rows times columns must stay below SQLite's 32,766 parameters."""
_EXACT = 8
"""Up to this number of rows, there is a statement for each number; above, four for each doubling."""
_KEPT_FORMS = 128


class BatchStatement:
    """A statement that reads its batch as a table with the columns ``column1``, ``column2`` and so on.

    ``{batch}`` in it stands for that table.
    """

    def __init__(self, sql: str, width: int) -> None:
        self._sql = sql
        self._width = width

    def run(self, session: Session, rows: Sequence[Row]) -> None:
        """Run it for all rows."""
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            count, size = len(part), _form_size(len(part))
            columns, bound = _bindable(part)
            padding = ("",) * ((size - count) * len(columns))
            form = _form(self._sql, self._width, bound, size)
            session.change(form, [*chain.from_iterable(zip(*columns, strict=True)), *padding, count])


def _bindable(rows: Sequence[Row]) -> tuple[list[Row], Sequence[int]]:
    """The columns to bind, and their numbers.

    ``sqlite3`` binds numbers and texts at once, and for anything else first looks in vain for somebody who adapts it,
    which takes three times as long as to bind it. ``None`` is anything else, and so is ``bytes``, but not
    ``bytearray``. So a column that is ``None`` in all rows, as most are, becomes a part of the statement.
    """
    columns: list[Row] = []
    bound = []
    for number, column in enumerate(zip(*rows, strict=True)):
        if column[0] is not None or column.count(None) < len(rows):
            is_blob = type(column[0]) is bytes
            columns.append([bytearray(one) if type(one) is bytes else one for one in column] if is_blob else column)
            bound.append(number)
    return columns, tuple(bound)


def _form_size(count: int) -> int:
    """The number of rows that the statement for ``count`` rows has: few statements, and few unused rows."""
    if count <= _EXACT:
        return count
    step = 1 << (count - 1).bit_length() - _EXACT.bit_length() + 1
    return -(-count // step) * step


@lru_cache(_KEPT_FORMS)
def _form(sql: str, width: int, bound: Sequence[int], size: int) -> str:
    """The statement for so many rows, of which the last parameter says how many count; other columns are NULL."""
    row = f"({', '.join('?' if number in bound else 'NULL' for number in range(width))})"
    return sql.replace("{batch}", f"(SELECT * FROM (VALUES {', '.join([row] * size)}) LIMIT ?)")  # noqa: S608 (nothing but places for values)
