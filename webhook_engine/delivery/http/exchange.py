"""What is known of a request while it is under way, and when its time is over."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from webhook_engine.delivery.http.connector import Handler

__all__ = ["CURRENT", "Deadlines", "Exchange"]


CLOSED_WHILE_IDLE_S = 1.0
"""News that a connection was closed before the request came take no longer than that, wherever the other side is."""


class Exchange:
    """What the sender and the connector know of one request."""

    __slots__ = (
        "_asked_at",
        "allowed",
        "application_id",
        "cancelling",
        "connection",
        "expired",
        "handler",
        "only_new",
        "refusal",
        "reused",
        "task",
    )

    def __init__(self, task: asyncio.Task[object], application_id: str) -> None:
        self.task = task
        self.application_id = application_id
        """For whom names are looked up."""
        self.cancelling = task.cancelling()
        self.expired = False
        """The time is over."""
        self.refusal: str | None = None
        """Why an address was refused."""
        self.allowed = False
        """Some address was not refused."""
        self.only_new = False
        """No pooled connection, please."""
        self.reused = False
        """The connection had served before."""
        self.connection: Connection | None = None
        """The connection, as long as it is ours."""
        self.handler: Handler | None = None
        """Its inner end, which is remembered."""
        self._asked_at: float | None = None

    def asked(self) -> None:
        """The request is on its way."""
        self._asked_at = self.task.get_loop().time()

    @property
    def unheard_on_old_connection(self) -> bool:
        """Whether the request met a connection that had served before just as the other side closed it.

        An idle connection may be closed at the moment when it is used again. Most likely the request was never seen; a
        new connection tells. (aiohttp by itself repeats only methods that are idempotent, which POST is not.) If a byte
        of an answer came, or if the other side took its time, it may have been at work on the request: then that was
        an attempt, and failed.
        """
        if not self.reused or self.handler is None or self.handler.answered:
            return False
        return self._asked_at is None or self.task.get_loop().time() - self._asked_at < CLOSED_WHILE_IDLE_S

    def expire(self) -> None:
        """End the request, because its time is over."""
        self.expired = True
        self.task.cancel()

    def release(self) -> None:
        """The answer is read: others may have the connection, if it is still good."""
        connection = self.connection
        if connection is None:
            return
        if connection.transport is not None and connection.transport.get_write_buffer_size():
            # It was answered before it was sent to its end, and the rest of it would be taken for the next request. The
            # other side may never take that rest, so a close that waits until it is written would wait for ever.
            self.abort()
            return
        self.connection = None
        connection.release()
        if self.handler is not None:
            self.handler.rest()

    def abort(self) -> None:
        """Drop the connection at once, without ceremonies that the other side could draw out."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        if self.handler is not None:
            self.handler.abort()
        connection.close()


CURRENT: ContextVar[Exchange] = ContextVar("webhook_engine_exchange")
"""The exchange that a connection is wanted for."""


class Deadlines:
    """Expires exchanges that last longer than ``timeout_s``.

    All have the same time, so the oldest is always the next; one timer for it is cheaper than one for each.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[Exchange, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, exchange: Exchange) -> None:
        """Its time runs from now on."""
        deadline = self._under_way[exchange] = self._loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._expire)

    def end(self, exchange: Exchange) -> None:
        """It is finished."""
        self._under_way.pop(exchange, None)

    def close(self) -> None:
        """Expect nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._under_way:
            exchange, deadline = next(iter(self._under_way.items()))
            if deadline > now:
                self._timer = self._loop.call_at(deadline, self._expire)
                return
            del self._under_way[exchange]
            exchange.expire()
