"""A whole batch as two parameters of one statement: its rows as JSON, and its bytes as one blob.

A statement for each row would have the writer's thread ask for the interpreter's lock again at each row, and wait for
it behind a busy event loop. The bytes stay out of the JSON, so they arrive exactly as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.sqlite.rows import json_of

__all__ = ["Blobs", "rows_parameter"]


class Blobs:
    """Byte strings joined into one parameter; ``substr(?, offset, size)`` takes one out again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._next = 1

    def add(self, part: bytes) -> tuple[int, int]:
        """Its offset, counted from 1 as SQL does, and its size."""
        offset, size = self._next, len(part)
        self._parts.append(part)
        self._next += size
        return offset, size

    def joined(self) -> bytes:
        """All of them. One more byte follows, because SQLite takes the parts of an empty blob for NULL."""
        return b"".join((*self._parts, b"\0"))


def rows_parameter(rows: Sequence[Sequence[object]]) -> str:
    """Rows for ``json_each``, where ``value ->> 0`` is the first column."""
    return json_of(rows)
