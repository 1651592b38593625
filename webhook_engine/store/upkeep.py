"""Upkeep of a store while the engine runs: sizes for metrics, deletion of old data, and re-encryption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from webhook_engine.store.records import ClockMark

__all__ = ["Cleaned", "EncryptAgain", "EncryptUrl", "StoreFigures", "UpkeepStore"]

EncryptAgain = Callable[[bytes, str], bytes | None]
"""Given an encrypted value and its context, returns it re-encrypted; ``None`` if it can stay."""


EncryptUrl = Callable[[str, str], tuple[str, bytes] | None]
"""Given the id of an endpoint and its URL, the URL as it may be shown and its encrypted user info, if it has any."""


class StoreFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and counts of a store."""

    pending: int = 0
    """Deliveries with an attempt scheduled, up to the limit of counting."""
    oldest_due_at: int | None = None
    """When the earliest scheduled attempt is due."""
    disabled_endpoints: int = 0
    outbox_waiting: int = 0
    outbox_set_aside: int = 0
    size_bytes: int = 0
    """The database with its write-ahead log."""
    free_bytes: int = 0
    """The part of it that is free for new data."""


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one step of a cleaning."""

    looked_at: int
    changed: int
    kept: str | None
    """The first message that had to be kept, because it still has scheduled attempts."""
    cursor: str | None
    """Where to continue; ``None`` when all is done."""


class UpkeepStore(Protocol):
    """Housekeeping, in steps small enough to run between deliveries."""

    spent_s: float
    """Seconds for which the steps have occupied the writer so far, without waiting and committing."""

    async def figures(self, limit: int) -> StoreFigures:
        """Read from indexes; nothing is counted beyond ``limit``."""
        ...

    async def clock_mark(self) -> ClockMark | None:
        """The last clock mark; ``None`` if there is none."""
        ...

    async def keep_clock_mark(self, mark: ClockMark) -> None:
        """Store a clock mark; ``ran`` and ``last_id`` never go back."""
        ...

    async def longest_ran(self) -> int:
        """The greatest ``ran`` in any endpoint's failure window; 0 if there is none."""
        ...

    async def newest_id(self, until: str) -> str | None:
        """The highest id of a message up to ``until``; ``None`` if there is none."""
        ...

    async def ping(self) -> None:
        """Run an empty transaction on the writer."""
        ...

    async def check(self, within_s: float) -> None:
        """Raise ``StoreUnavailableError`` if writing fails now, or takes longer than ``within_s`` seconds.

        Costs at most one small write, however many callers check at once, and none right after another write.
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
        """Free up to ``most_bytes`` to the file system, but keep this share of the database free; returns how many."""
        ...

    async def encrypt_again(self, encrypt_again: EncryptAgain, after: str, limit: int) -> tuple[int, str | None]:
        """Re-encrypt the secrets of up to ``limit`` endpoints, in the order of ids.

        Returns how many were changed, and the id to continue from (``None`` at the end).
        """
        ...

    async def encrypt_urls(self, encrypt: EncryptUrl, after: str, limit: int) -> tuple[int, str | None]:
        """Like :meth:`encrypt_again`, for URLs that may have a password in clear, and the attempts that show them."""
        ...
