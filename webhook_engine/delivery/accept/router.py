"""The router creates the deliveries of each accepted message, and stores both in one commit.

Messages that arrive during a commit are stored together in the next one. A message whose caller was cancelled meanwhile
is still accepted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from webhook_engine.delivery.accept.addressing import addressed
from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.filtering import Arrival, Filtering
from webhook_engine.delivery.accept.matching import plan_of
from webhook_engine.delivery.service import Service
from webhook_engine.errors import (
    AFTER_FORK,
    ConflictError,
    EngineNotRunningError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
)
from webhook_engine.store.directory import Directory
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.members import RoutingChangedError
from webhook_engine.store.records import AddressedMessage, NewMessage
from webhook_engine.store.seam import MessageStore

if TYPE_CHECKING:
    from webhook_engine.delivery.tracing import Tracing

__all__ = ["Router"]

MAX_BATCH = 1_000
MAX_BATCH_BYTES = 8 * 1024 * 1024
FILTERED_AT_ONCE = 256 * 1024
"""Bytes of payloads filtered before yielding to the event loop, which take some milliseconds."""
A_FILTERED_MESSAGE = 4 * 1024
"""Bytes that a filtered message counts as at least."""


class Router(Service):
    """Accepts messages; ``on_stored`` gets what was committed, before the callers' futures are done."""

    def __init__(
        self,
        messages: MessageStore,
        directory: Directory,
        filter_process: FilterProcess,
        on_stored: Callable[[Sequence[AddressedMessage]], None],
        tracing: Tracing | None,
    ) -> None:
        super().__init__("router")
        self._messages = messages
        self._directory = directory
        self._on_stored = on_stored
        self._tracing = tracing
        self._arrivals: deque[Arrival] = deque()
        self._filtering = Filtering(directory, filter_process, self._give_back)
        self._storing = 0
        self._filtered_bytes = 0
        self._batch: Sequence[Arrival] = ()
        self.batches = 0
        """The number of batches stored."""

    @property
    def storing(self) -> bool:
        """Whether a batch is being stored."""
        return bool(self._storing)

    @property
    def backlog(self) -> int:
        """Messages that are not stored yet."""
        return len(self._arrivals) + self._storing + sum(1 for _ in self._filtering)

    def oldest_unstored(self) -> str | None:
        """The lowest id of a message that is not stored yet."""
        return min((arrival.message.id for arrival in self._unstored()), default=None)

    def accept(
        self,
        message: NewMessage,
        *,
        manual_to: str | None = None,
        outbox_id: int | None = None,
        is_row: bool = False,
        response: KeptResponse | None = None,
    ) -> asyncio.Future[None]:
        """Store a message with its deliveries and the idempotent response; durable when the future is done.

        ``is_row``: it is a row of an outbox. Rows are stored in their order, so when one is refused, so are all rows
        behind it. ``outbox_id``: the row in this database, which is deleted with it.
        The future raises ``ConflictError`` if the event id is taken, ``StoreUnavailableError`` if the database refuses.
        """
        if self.left_behind:
            raise EngineNotRunningError(AFTER_FORK)
        if self.stopping:
            raise EngineNotRunningError("the engine is stopping and accepts no more messages")
        accepted: asyncio.Future[None] = self.loop.create_future()
        if self._tracing is not None:
            message = self._tracing.accepting(message, accepted)
        if not self._arrivals:
            self.nudge()
        self._arrivals.append(Arrival(message, manual_to, outbox_id, is_row, response, accepted))
        return accepted

    async def run(self) -> None:
        """Store messages as they arrive, with their deliveries; store all of them before returning."""
        while True:
            if not self._arrivals:
                if self.stopping and not any(True for _ in self._filtering):
                    return
                await self.nap()
                continue
            batch = self._next_batch()
            if not batch:
                continue
            self._storing = len(batch)
            self._batch = batch
            try:
                await self._store(batch)
            except StoreError as error:
                self._refuse(batch, error)
            except MemoryError:
                self._refuse(batch, StoreUnavailableError("not enough memory to store the message; try again later"))
            except Exception as error:
                # No caller must wait for a router that has crashed.
                self._refuse(self._unstored(), EngineNotRunningError(f"the engine has crashed: {error!r}"))
                self._arrivals.clear()
                raise
            finally:
                self._storing = 0
                self._batch = ()
                self.batches += 1

    def _next_batch(self) -> list[Arrival]:
        batch: list[Arrival] = []
        size = 0
        while self._arrivals and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            arrival = self._arrivals.popleft()
            if self._filtering.takes(arrival):
                continue
            size += len(arrival.message.payload) + (0 if arrival.response is None else len(arrival.response.encrypted))
            batch.append(arrival)
        return batch

    async def _store(self, batch: Sequence[Arrival]) -> None:
        while True:
            # Sequentially, so that the routes of an application are read once for all its messages.
            found = [await self._addressed(arrival) for arrival in batch]
            made = [one for one in found if one is not None]
            try:
                refused = await self._messages.add(made)
                break
            except RoutingChangedError as changed:
                for application_id in changed.application_ids:
                    self._directory.forget_endpoints(application_id)
        for arrival, one in zip(batch, found, strict=True):
            if one is None and not arrival.accepted.done():
                arrival.accepted.set_exception(NotFoundError("application", arrival.message.application_id))
        taken = {one.message.id for one in refused}
        self._on_stored([one for one in made if one.message.id not in taken] if taken else made)
        for arrival in batch:
            if arrival.accepted.done():
                continue
            message = arrival.message
            if message.id in taken:
                arrival.accepted.set_exception(ConflictError("message", "event_id", message.event_id or message.id))
            else:
                arrival.accepted.set_result(None)

    async def _addressed(self, arrival: Arrival) -> AddressedMessage | None:
        """Address a message; ``None`` if its application was deleted meanwhile."""
        message = arrival.message
        routes = self._directory.cached_routes(message.application_id)
        if routes is None:
            routes = await self._directory.routes(message.application_id)
            if routes is None:
                return None
        plan = plan_of(routes)
        among = arrival.found[1] if arrival.found is not None and arrival.found[0] is plan else None
        if plan.filters and among is None:
            self._filtered_bytes += len(message.payload) + A_FILTERED_MESSAGE
            if self._filtered_bytes > FILTERED_AT_ONCE:
                self._filtered_bytes = 0
                await asyncio.sleep(0)
        return addressed(
            message,
            routes,
            among=among,
            manual_to=arrival.manual_to,
            outbox_id=arrival.outbox_id,
            response=arrival.response,
        )

    def _refuse(self, arrivals: Sequence[Arrival], error: Exception) -> None:
        """Refuse these and, if a row of an outbox is among them, all rows behind it: none may be stored before it."""
        if any(arrival.is_row for arrival in arrivals):
            arrivals = [*arrivals, *(arrival for arrival in self._unstored() if arrival.is_row)]
            self._arrivals = deque(arrival for arrival in self._arrivals if not arrival.is_row)
        for arrival in arrivals:
            if not arrival.accepted.done():
                arrival.accepted.set_exception(error)

    def _unstored(self) -> Sequence[Arrival]:
        return (*self._batch, *self._filtering, *self._arrivals)

    def _give_back(self, arrivals: Sequence[Arrival]) -> None:
        # After a crash the waiting messages are refused already; those of cancelled callers are still accepted.
        waiting = [one for one in arrivals if one.accepted.cancelled() or not one.accepted.done()]
        self._arrivals.extendleft(reversed(waiting))
        self.nudge()
