"""A batch arrives row by row as it was given, whatever is missing in it and however many rows it has."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest

from webhook_engine.store.sqlite.batches import MAX_ROWS, BatchStatement
from webhook_engine.store.sqlite.connection import Row, Session

ADD = BatchStatement("INSERT INTO thing SELECT * FROM {batch}", 4)


def added(rows: Sequence[Row]) -> list[Row]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE thing (number INTEGER, name TEXT, data BLOB, note TEXT) STRICT")
    ADD.run(Session(connection), rows)
    return connection.execute("SELECT * FROM thing ORDER BY rowid").fetchall()


@pytest.mark.parametrize("count", [0, 1, 2, 8, 9, 10, 65, MAX_ROWS - 1, MAX_ROWS, MAX_ROWS + 1, 3 * MAX_ROWS + 77])
def test_as_many_rows_as_were_given(count: int) -> None:
    rows = [(number, f"name {number}", b"\0" * number, None) for number in range(count)]
    assert added(rows) == rows


def test_a_column_with_nothing_in_it() -> None:
    rows: list[Row] = [(1, None, b"", None), (2, None, b"x", None)]
    assert added(rows) == rows


def test_a_column_with_something_in_one_row() -> None:
    rows: list[Row] = [(1, None, None, None), (2, "", b"x", None), (3, None, b"", "said")]
    assert added(rows) == rows


def test_what_one_batch_had_nothing_of_the_next_may_have() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE thing (number INTEGER, name TEXT, data BLOB, note TEXT) STRICT")
    batches: list[list[Row]] = [[(1, None, None, None)], [(2, "two", b"2", "note")], [(3, None, None, None)]]
    for batch in batches:
        ADD.run(Session(connection), batch)
    found = connection.execute("SELECT * FROM thing ORDER BY rowid").fetchall()
    assert found == [row for batch in batches for row in batch]
