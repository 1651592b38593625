"""What the relay needs of the outbox in another database.

A row is moved in three steps, each durable before the next: it gets a message id if it has none, the message is
stored in the engine's database, and the row is removed. Whatever happens in between, the message id tells on the next
round that the message is there already. Rows are claimed in the transaction that changes them, so that two engines
never both take one, also where a pooler stands between them and the database.
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
        """After how long to look again, if nothing has told that there is something."""
        ...

    async def open(self) -> None:
        """Connect, and see to it as far as possible that no other engine does; harmless where that is done."""
        ...

    async def close(self) -> None:
        """Let go; harmless where nothing is held."""
        ...

    def watch(self, nudge: Callable[[], None]) -> Callable[[], None]:
        """Call ``nudge()`` when the database tells that there is something, until the returned function is called."""
        ...

    async def changed(self) -> bool:
        """Whether somebody may have written since the last call."""
        ...

    async def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """Rows to be moved, oldest first; what was set aside is left out.

        No other engine gets them until they are removed, set aside or released.
        """
        ...

    async def identify(self, message_ids: Sequence[tuple[int, str]]) -> Sequence[int]:
        """Keep the message ids that rows without one were given; the rows that another engine has meanwhile."""
        ...

    async def release(self) -> None:
        """Leave the rows that are neither removed nor set aside to others; harmless where there are none."""
        ...

    async def remove(self, row_ids: Sequence[int]) -> None:
        """Rows whose messages are stored."""
        ...

    async def set_aside(self, refused: Sequence[RefusedRow]) -> None:
        """Keep rows that can never be delivered out of the way, with their errors."""
        ...
