"""The last reading of the clock, in one row."""

from __future__ import annotations

from webhook_engine.store.records import ClockMark
from webhook_engine.store.sqlite.connection import Session

__all__ = ["keep_mark", "read_mark"]

_KEEP = """
INSERT INTO webhook_clock (id, ran, seen_at, believed_at, doubted_ran, last_id) VALUES (1, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    ran = max(ran, excluded.ran), seen_at = excluded.seen_at, believed_at = excluded.believed_at,
    doubted_ran = excluded.doubted_ran, last_id = max(last_id, excluded.last_id)
"""

_READ = """
SELECT ran, seen_at, believed_at, doubted_ran, last_id FROM webhook_clock WHERE id = 1
"""


def keep_mark(session: Session, mark: ClockMark) -> None:
    """Replace the mark."""
    session.change(_KEEP, (mark.ran, mark.seen_at, mark.believed_at, mark.doubted_ran, mark.last_id))


def read_mark(session: Session) -> ClockMark | None:
    """The last mark."""
    found = session.rows(_READ)
    if not found:
        return None
    ran, seen_at, believed_at, doubted_ran, last_id = found[0]
    return ClockMark(ran=ran, seen_at=seen_at, believed_at=believed_at, doubted_ran=doubted_ran, last_id=last_id)
