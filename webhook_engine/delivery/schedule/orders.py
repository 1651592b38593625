"""What a lane knows of the orders of its endpoint: of which one message is under way, and which wait for more.

Pure decisions, no I/O. Whose turn it is, the database says; here is what keeps two of one order from being sent side by
side where that changes while one is under way: because a person skipped or sent it, or because an engine that had lost
the endpoint has delivered it.
"""

from __future__ import annotations

from webhook_engine.store.records import Due

__all__ = ["MAX_GATHERING", "Orders"]

MAX_GATHERING = 4_096
"""Orders of an endpoint whose first messages may wait for more."""


class Orders:
    """Those of one lane."""

    def __init__(self) -> None:
        self._under_way: dict[str, _UnderWay] = {}
        self._gathering: dict[str, _Gathering] = {}

    # One at a time.

    def begin(self, due: Due) -> bool:
        """A delivery is to be sent; ``False``: another one of its order is under way, and it has to wait for that."""
        if due.order_key is None or due.manual_id is not None:
            return True
        if self.waits(due):
            return False
        self._under_way[due.order_key] = _UnderWay(due.message_id)
        return True

    def waits(self, due: Due) -> bool:
        """Whether a delivery has to wait for the end of another one of its order; then :meth:`end` tells of it."""
        if due.order_key is None or due.manual_id is not None:
            return False
        found = self._under_way.get(due.order_key)
        if found is None or found.message_id == due.message_id:
            return False
        found.next_due_at = due.due_at
        return True

    def end(self, due: Due) -> int | None:
        """A delivery is under way no longer: when the one is due that waits for this."""
        if due.order_key is None or due.manual_id is not None:
            return None
        found = self._under_way.get(due.order_key)
        if found is None or found.message_id != due.message_id:
            return None
        del self._under_way[due.order_key]
        return found.next_due_at

    # Several in one request.

    @property
    def gathering(self) -> int:
        """Orders whose first messages wait for more."""
        return len(self._gathering)

    @property
    def gathering_bytes(self) -> int:
        """Of the payloads of the first of each."""
        return sum(one.size for one in self._gathering.values())

    def gather(self, due: Due, missing: int, until: int) -> bool:
        """The first messages of an order wait for more; ``False`` if so many orders do that this one must not."""
        key = due.order_key or ""
        if key not in self._gathering and len(self._gathering) >= MAX_GATHERING:
            return False
        self._gathering[key] = _Gathering(missing, until, len(due.payload or b""))
        return True

    def gathering_until(self, order_key: str | None, now: int) -> int | None:
        """Until when the first messages of an order wait for more; ``None``: they do not."""
        found = self._gathering.get(order_key) if order_key is not None else None
        if found is None:
            return None
        if found.missing > 0 and now < found.until:
            return found.until
        del self._gathering[order_key or ""]
        return None

    def joined(self, order_key: str, now: int) -> bool:
        """Another message has joined an order; whether its first ones go on waiting all the same."""
        if (found := self._gathering.get(order_key)) is not None:
            found.missing -= 1
        return self.gathering_until(order_key, now) is not None

    def stop_gathering(self) -> None:
        """None waits for more, until it is seen to anew."""
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
