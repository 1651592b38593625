"""The last reading of the clock, in a row for each engine."""

from __future__ import annotations

from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.records import ClockMark

__all__ = ["forget_marks", "keep_mark", "keeping_mark", "mark_row", "read_mark"]

_TYPES = ("text", "bigint", "bigint", "bigint", "bigint", "text")
_KEEP = """
INSERT INTO webhook_clock AS kept (member, ran, seen_at, believed_at, doubted_ran, last_id)
SELECT {values} WHERE {member} IS NOT NULL
ON CONFLICT (member) DO UPDATE SET
    ran = greatest(kept.ran, excluded.ran), seen_at = excluded.seen_at, believed_at = excluded.believed_at,
    doubted_ran = excluded.doubted_ran, last_id = greatest(kept.last_id, excluded.last_id)
"""

# The engine that has run for longest has seen most of the clock. No id may be below one that any of them has made.
_READ = """
SELECT ran, seen_at, believed_at, doubted_ran, (SELECT max(last_id) FROM webhook_clock)
FROM webhook_clock ORDER BY ran DESC, seen_at DESC LIMIT 1
"""

_FOLD = """
WITH last AS (SELECT member FROM webhook_clock WHERE member <> $1 ORDER BY ran DESC, seen_at DESC LIMIT 1)
DELETE FROM webhook_clock WHERE member <> $1 AND seen_at < $2
    AND member NOT IN (SELECT member FROM last)
    AND last_id < (SELECT max(last_id) FROM webhook_clock)
"""


def keeping_mark(after: int = 0) -> str:
    """The statement that keeps a mark, with :func:`mark_row` as its parameters after so many others."""
    values = [f"${number}::{kind}" for number, kind in enumerate(_TYPES, after + 1)]
    return _KEEP.replace("{values}", ", ".join(values)).replace("{member}", values[0])


def mark_row(mark: ClockMark | None, member: str) -> tuple[object, ...]:
    """The parameters of the mark of an engine; without one, nothing is stored."""
    if mark is None:
        return (None,) * len(_TYPES)
    return member, mark.ran, mark.seen_at, mark.believed_at, mark.doubted_ran, mark.last_id


async def keep_mark(session: Session, mark: ClockMark, member: str) -> None:
    """Replace the mark of this engine."""
    await session.change(keeping_mark(), *mark_row(mark, member))


async def read_mark(session: Session) -> ClockMark | None:
    """The last mark of any engine."""
    found = await session.row(_READ)
    if found is None:
        return None
    ran, seen_at, believed_at, doubted_ran, last_id = found
    return ClockMark(ran=ran, seen_at=seen_at, believed_at=believed_at, doubted_ran=doubted_ran, last_id=last_id)


async def forget_marks(session: Session, member: str, before: int) -> int:
    """Delete the marks of engines that have not renewed theirs since ``before``, except the last one."""
    return await session.change(_FOLD, member, before)
