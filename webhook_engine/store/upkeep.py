"""What keeps a store fit while the engine runs: sizes for metrics, deletion of what is old, and new encryption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from webhook_engine.store.records import ClockMark

__all__ = ["Cleaned", "EncryptAgain", "EncryptUrl", "StoreFigures", "UpkeepStore"]

EncryptAgain = Callable[[bytes, str], bytes | None]
"""Given an encrypted value and its context, the value encrypted anew; ``None`` if it can stay as it is."""


EncryptUrl = Callable[[str, str], tuple[str, bytes] | None]
"""Given the id of an endpoint and its URL, the URL as it may be shown and its encrypted user info, if it has any."""


class StoreFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is of what."""

    pending: int = 0
    """Deliveries with an attempt scheduled, up to the limit of counting."""
    oldest_due_at: int | None = None
    """When the scheduled attempt that is to be made first is due."""
    disabled_endpoints: int = 0
    outbox_waiting: int = 0
    outbox_set_aside: int = 0
    size_bytes: int = 0
    """The database with its write-ahead log."""
    free_bytes: int = 0
    """Of that, what is free for new data."""


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a cleaning has done."""

    looked_at: int
    changed: int
    kept: str | None
    """The first message that had to be left as it is, because something of it is still to come."""
    cursor: str | None
    """Where to go on; ``None`` when all is done."""


class UpkeepStore(Protocol):
    """Housekeeping, in steps that are small enough to come between deliveries."""

    spent_s: float
    """How long the steps have kept the writer busy so far, in seconds, not counting that they waited or committed."""

    async def figures(self, limit: int) -> StoreFigures:
        """Read from indexes; nothing is counted beyond ``limit``."""
        ...

    async def clock_mark(self) -> ClockMark | None:
        """What the clock said last; ``None`` if that was never kept."""
        ...

    async def keep_clock_mark(self, mark: ClockMark) -> None:
        """Keep what the clock says; ``ran`` and ``last_id`` never go back."""
        ...

    async def longest_ran(self) -> int:
        """The greatest ``ran`` that any endpoint's failure window knows; 0 if there is none."""
        ...

    async def newest_id(self, until: str) -> str | None:
        """The highest id of a message up to ``until``; ``None`` if there is none."""
        ...

    async def ping(self) -> None:
        """Have the writer do its next transaction, an empty one; returns when it has."""
        ...

    async def check(self, within_s: float) -> None:
        """Raises ``StoreUnavailableError`` if nothing can be written now, or if that cannot be told within that time.

        Costs at most one small write, however many ask at once, and none where something was just written.
        """
        ...

    async def expire_payloads(self, after: str, until: str, limit: int) -> Cleaned:
        """Delete the payloads of messages with ids in (``after``, ``until``).

        Looks at up to ``limit`` messages. Leaves those with a retention of their own, and those with an attempt
        scheduled.
        """
        ...

    async def expire_own_payloads(self, now: int, limit: int) -> Sequence[str]:
        """Delete up to ``limit`` payloads whose own retention is over; returns the ids of their messages."""
        ...

    async def delete_messages(self, after: str, until: str, attempts_until: str, limit: int) -> Cleaned:
        """Delete messages with ids in (``after``, ``until``), with their deliveries and attempts.

        Looks at up to ``limit`` messages. A message stays while an attempt of it is scheduled, or as long as it has
        an attempt with an id of ``attempts_until`` or above; its older attempts go, and its payload.
        """
        ...

    async def purge(self, now: int, limit: int) -> int:
        """Remove up to ``limit`` of each of the other things that have expired; returns how many."""
        ...

    async def delete_tasks(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` finished tasks with ids below ``until``; returns how many."""
        ...

    async def delete_audit(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` entries of the audit log with ids below ``until``; returns how many."""
        ...

    async def shrink(self, reserve: float, most_bytes: int) -> int:
        """Give up to ``most_bytes`` back to the file system, but keep this share of the database free; returns them."""
        ...

    async def encrypt_again(self, encrypt_again: EncryptAgain, after: str, limit: int) -> tuple[int, str | None]:
        """Encrypt the secrets of up to ``limit`` endpoints anew, in the order of ids.

        Returns how many were changed, and the id to go on from (``None`` at the end).
        """
        ...

    async def encrypt_urls(self, encrypt: EncryptUrl, after: str, limit: int) -> tuple[int, str | None]:
        """Like :meth:`encrypt_again`, for URLs that may have a password in clear, and the attempts that show them."""
        ...
