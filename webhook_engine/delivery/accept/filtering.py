"""Filtering of large payloads outside the event loop, so that other messages do not wait for it.

Later messages of the same application wait behind a message that is being filtered, because the messages of an
application are accepted in the order in which they arrive. Those of other applications do not wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.matching import Plan, candidates, filters_of, let_through, plan_of
from webhook_engine.errors import StoreError
from webhook_engine.rules.payload import LARGE
from webhook_engine.store.directory import Directory
from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.records import NewMessage

__all__ = ["Arrival", "Filtering"]

TRIES = 3
"""Tries for a message whose endpoints are edited each time while its payload is filtered."""


class Arrival:
    """A message that has arrived and is not stored yet."""

    __slots__ = ("accepted", "asked", "found", "is_row", "manual_to", "message", "outbox_id", "response")

    def __init__(
        self,
        message: NewMessage,
        manual_to: str | None,
        outbox_id: int | None,
        is_row: bool,
        response: KeptResponse | None,
        accepted: asyncio.Future[None],
    ) -> None:
        self.message = message
        self.manual_to = manual_to
        self.outbox_id = outbox_id
        self.is_row = is_row
        self.response = response
        self.accepted = accepted
        self.asked = False
        """Whether it was filtered."""
        self.found: tuple[Plan, Sequence[str]] | None = None
        """The endpoints that it goes to, and the plan by which they were found."""


class Filtering:
    """Holds arrivals while they are filtered, and passes them to ``back`` in order, to be stored before later ones."""

    def __init__(self, directory: Directory, process: FilterProcess, back: Callable[[Sequence[Arrival]], None]) -> None:
        self._directory = directory
        self._process = process
        self._back = back
        self._lines: dict[str, deque[Arrival]] = {}
        """By application: the message that is being filtered, and those waiting behind it."""
        self._tasks: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Arrival]:
        """All arrivals held."""
        for line in self._lines.values():
            yield from line

    def takes(self, arrival: Arrival) -> bool:
        """Hold an arrival if it needs filtering or has to wait; returns whether it is held."""
        application_id = arrival.message.application_id
        if self._lines and (line := self._lines.get(application_id)) is not None:
            line.append(arrival)
            return True
        if arrival.asked or arrival.manual_to is not None or len(arrival.message.payload) <= LARGE:
            return False
        routes = self._directory.cached_routes(application_id)
        if routes is not None and not plan_of(routes).filters:
            return False
        self._lines[application_id] = deque([arrival])
        task = asyncio.create_task(self._ask(arrival))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _ask(self, arrival: Arrival) -> None:
        message = arrival.message
        try:
            for _ in range(TRIES):
                routes = await self._directory.routes(message.application_id)
                if routes is None or (arrival.found is not None and arrival.found[0] is plan_of(routes)):
                    break
                plan = plan_of(routes)
                found = candidates(plan, message.event_type, message.channels)
                filters = filters_of(plan, found)
                passing = await self._process.passing(filters.values(), message.payload)
                arrival.found = plan, let_through(found, filters, passing)
        except (MemoryError, RuntimeError, StoreError):
            pass  # No memory, thread or database: handle it like a small payload, which may then fail.
        finally:
            arrival.asked = True
            self._back(self._lines.pop(message.application_id))
