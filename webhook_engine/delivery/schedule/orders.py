"""A lane's data about the orders of its endpoint: which have a message in flight, and which wait for a larger batch.

Pure decisions, no I/O. The database has the turns. This keeps two messages of one order from being sent concurrently if
the turn changes while one is in flight: because a person skipped or sent it, or because an engine that had lost the
endpoint has delivered it.
"""

from __future__ import annotations

from webhook_engine.store.records import Due

__all__ = ["MAX_GATHERING", "Orders"]

MAX_GATHERING = 4_096
"""Orders of an endpoint that may wait for a larger batch."""


class Orders:
    """The orders of one lane."""

    def __init__(self) -> None:
        self._under_way: dict[str, _UnderWay] = {}
        self._gathering: dict[str, _Gathering] = {}

    # One at a time.

    def begin(self, due: Due) -> bool:
        """Begin a delivery; ``False`` if it has to wait, because another one of its order is in flight."""
        if due.order_key is None or due.manual_id is not None:
            return True
        if self.waits(due):
            return False
        self._under_way[due.order_key] = _UnderWay(due.message_id)
        return True

    def waits(self, due: Due) -> bool:
        """Whether a delivery has to wait for another one of its order; then :meth:`end` returns its due time."""
        if due.order_key is None or due.manual_id is not None:
            return False
        found = self._under_way.get(due.order_key)
        if found is None or found.message_id == due.message_id:
            return False
        found.next_due_at = due.due_at
        return True

    def end(self, due: Due) -> int | None:
        """End a delivery; returns when the one that waits for it is due."""
        if due.order_key is None or due.manual_id is not None:
            return None
        found = self._under_way.get(due.order_key)
        if found is None or found.message_id != due.message_id:
            return None
        del self._under_way[due.order_key]
        return found.next_due_at

    # Batches.

    @property
    def gathering(self) -> int:
        """The number of orders that wait for a larger batch."""
        return len(self._gathering)

    @property
    def gathering_bytes(self) -> int:
        """Bytes of the first payload of each."""
        return sum(one.size for one in self._gathering.values())

    def gather(self, due: Due, missing: int, until: int) -> bool:
        """Let an order wait for a larger batch; ``False`` if too many orders wait already."""
        key = due.order_key or ""
        if key not in self._gathering and len(self._gathering) >= MAX_GATHERING:
            return False
        self._gathering[key] = _Gathering(missing, until, len(due.payload or b""))
        return True

    def gathering_until(self, order_key: str | None, now: int) -> int | None:
        """Until when an order waits for a larger batch; ``None``: it does not."""
        found = self._gathering.get(order_key) if order_key is not None else None
        if found is None:
            return None
        if found.missing > 0 and now < found.until:
            return found.until
        del self._gathering[order_key or ""]
        return None

    def joined(self, order_key: str, now: int) -> bool:
        """Count a message that joined an order; returns whether the order still waits for a larger batch."""
        if (found := self._gathering.get(order_key)) is not None:
            found.missing -= 1
        return self.gathering_until(order_key, now) is not None

    def stop_gathering(self) -> None:
        """Let no order wait any more, until each is checked again."""
        self._gathering.clear()


class _UnderWay:
    __slots__ = ("message_id", "next_due_at")

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.next_due_at: int | None = None


class _Gathering:
    __slots__ = ("missing", "size", "until")

    def __init__(self, missing: int, until: int, size: int) -> None:
        self.missing = missing
        self.until = until
        self.size = size
