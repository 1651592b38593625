"""A batch as the parameters of one statement: an array for each column, which ``unnest`` turns into a table."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.rows import Row

__all__ = ["arrays", "unnest"]


def unnest(types: Sequence[str], after: int = 0) -> str:
    """``unnest`` of arrays with elements of these types; their parameters follow the first ``after`` ones."""
    return f"unnest({', '.join(f'${number}::{kind}[]' for number, kind in enumerate(types, after + 1))})"


def arrays(rows: Sequence[Row], width: int) -> Sequence[Sequence[object]]:
    """The columns of a batch of rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
