"""A whole batch as the parameters of one statement: an array for each column, which ``unnest`` makes a table again."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.rows import Row

__all__ = ["arrays", "unnest"]


def unnest(types: Sequence[str], after: int = 0) -> str:
    """``unnest`` of the arrays with elements of these types, which are the next parameters after so many."""
    return f"unnest({', '.join(f'${number}::{kind}[]' for number, kind in enumerate(types, after + 1))})"


def arrays(rows: Sequence[Row], width: int) -> Sequence[Sequence[object]]:
    """The columns of a batch of rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
