"""The interface that the relay needs to the outbox in another database.

A row is moved in three steps, each durable before the next: it gets a message id if it has none, the message is
stored in the engine's database, and the row is deleted. After a crash in between, the message id tells the next round
that the message is stored already. Rows are claimed in the transaction that changes them, so that two engines never
both take one, even behind a pooler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from webhook_engine.store.records import OutboxRow, RefusedRow

__all__ = ["OutboxSource"]


class OutboxSource(Protocol):
    """The outbox of one database. Methods raise ``StoreUnavailableError`` while it cannot be reached."""

    @property
    def name(self) -> str:
        """The URL, without its password."""
        ...

    @property
    def look_every_s(self) -> float:
        """Seconds between polls without a notification."""
        ...

    async def open(self) -> None:
        """Connect, and lock out other engines as far as possible; harmless if connected."""
        ...

    async def close(self) -> None:
        """Disconnect; harmless if not connected."""
        ...

    def watch(self, nudge: Callable[[], None]) -> Callable[[], None]:
        """Call ``nudge()`` on notifications from the database, until the returned function is called."""
        ...

    async def changed(self) -> bool:
        """Whether there may be new rows since the last call."""
        ...

    async def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out.

        No other engine gets them until they are removed, set aside or released.
        """
        ...

    async def identify(self, message_ids: Sequence[tuple[int, str]]) -> Sequence[int]:
        """Store the message ids given to rows without one; returns rows that another engine has claimed meanwhile."""
        ...

    async def release(self) -> None:
        """Release the rows that are neither removed nor set aside; harmless if there are none."""
        ...

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Delete rows whose messages are stored."""
        ...

    async def set_aside(self, refused: Sequence[RefusedRow]) -> None:
        """Set aside rows that can never be delivered, with their errors."""
        ...
