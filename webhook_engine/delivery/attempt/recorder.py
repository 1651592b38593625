"""The recorder commits outcomes of attempts in batches, with everything that follows from them.

Outcomes that arrive during a commit go into the next one. An outcome is kept until it is committed: while the database
refuses, the recorder retries, and the dispatcher stops sending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice

from webhook_engine.delivery.attempt.outcome import Outcome
from webhook_engine.delivery.publishing import Publisher
from webhook_engine.delivery.service import Service
from webhook_engine.delivery.timekeeper import Timekeeper
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.log import get_logger
from webhook_engine.store.members import LateOutcomesError
from webhook_engine.store.order import Turns
from webhook_engine.store.records import AddressedMessage, ClockMark, EndpointCondition, Outcomes
from webhook_engine.store.seam import DeliveryStore

__all__ = ["Recorder"]

log = get_logger("recorder")

MAX_BATCH = 1_000
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STOP_PATIENCE_S = 10.0
"""How long a stopping engine retries while the database refuses, in seconds."""


class Recorder(Service):
    """Commits outcomes; ``on_recorded`` gets each batch after its commit.

    ``on_dropped`` gets outcomes that came too late: the engine lost its lease, and another one makes these attempts.
    """

    def __init__(
        self,
        deliveries: DeliveryStore,
        publisher: Publisher,
        on_recorded: Callable[[Sequence[Outcome], Turns], None],
        timekeeper: Timekeeper,
        on_dropped: Callable[[Sequence[Outcome]], None] = lambda _: None,
    ) -> None:
        super().__init__("recorder")
        self._deliveries = deliveries
        self._publisher = publisher
        self._on_recorded = on_recorded
        self._on_dropped = on_dropped
        self._timekeeper = timekeeper
        self._waiting: list[Outcome] = []
        self._committing = 0

    async def start(self) -> None:
        """Start. Outcomes that an earlier run could not record are dropped, so their attempts are made again."""
        self._waiting, self._committing = [], 0
        await super().start()

    @property
    def backlog(self) -> int:
        """Outcomes that are not committed yet."""
        return len(self._waiting) + self._committing

    def add(self, outcome: Outcome) -> None:
        """Queue an outcome for the next commit."""
        if not self._waiting:
            self.nudge()
        self._waiting.append(outcome)

    async def run(self) -> None:
        """Commit outcomes as they arrive; commit all of them before returning."""
        while True:
            if not self._waiting:
                if self.stopping:
                    return
                await self.nap()
                continue
            size = _of_one_member(self._waiting)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            self._committing = len(batch)
            if not await self._commit(batch):
                log.error("outcomes.given_up", count=self.backlog, consequence="these attempts are made again")
                return

    async def _commit(self, batch: Sequence[Outcome]) -> bool:
        """Commit a batch, with retries; ``False`` if the engine stops and the database still refuses."""
        events = [event for outcome in batch for event in outcome.events]
        pause, waited = FIRST_PAUSE_S, 0.0
        committed = False

        while True:
            try:
                async with self._publisher.publishing(events) as publication:
                    moment = self._timekeeper.look()
                    batch = [outcome.due_again(moment) for outcome in batch]
                    turns = await self._deliveries.record(
                        _outcomes(batch, publication.webhooks, self._timekeeper.mark())
                    )
                    committed = True
                    self._committing -= len(batch)
                    self._on_recorded(batch, turns)
            except LateOutcomesError as error:
                kept = [outcome.late() for outcome in batch if outcome.succeeded]
                dropped = [outcome for outcome in batch if not outcome.succeeded]
                log.warning("outcomes.late", error=str(error), dropped=len(dropped), kept=len(kept))
                self._committing -= len(dropped)
                self._on_dropped(dropped)
                return await self._commit(kept) if kept else True
            except (StoreUnavailableError, MemoryError) as error:
                log.error("outcomes.not_recorded", count=len(batch), error=str(error) or repr(error), again_in_s=pause)
                if self.stopping and waited >= STOP_PATIENCE_S:
                    return False
                await asyncio.sleep(pause)
                waited += pause
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except Exception:
                # One of them is refused. It must block neither the others nor the engine.
                if committed or (len(batch) == 1 and batch[0].attempt is None):
                    raise
                log.exception("outcomes.refused", count=len(batch))
                return await self._commit_singly(batch)
            else:
                return True

    async def _commit_singly(self, batch: Sequence[Outcome]) -> bool:
        singles = [batch[0].without_attempt()] if len(batch) == 1 else batch
        for outcome in singles:
            if not await self._commit([outcome]):
                return False
        return True


def _outcomes(batch: Sequence[Outcome], webhooks: Sequence[AddressedMessage], mark: ClockMark) -> Outcomes:
    return Outcomes(
        attempts=[outcome.attempt for outcome in batch if outcome.attempt is not None],
        deliveries=[outcome.change for outcome in batch],
        # The last one of an endpoint wins, except that later outcomes never undo a disabling.
        conditions=_conditions(batch),
        messages=webhooks,
        mark=mark,
        member=batch[0].member_id,
    )


def _of_one_member(waiting: Sequence[Outcome]) -> int:
    """How many of the first outcomes may go into one commit: those with the same member id. Pure."""
    first = waiting[0].member_id
    for count, outcome in enumerate(islice(waiting, MAX_BATCH)):
        if outcome.member_id != first:
            return count
    return min(len(waiting), MAX_BATCH)


def _conditions(batch: Sequence[Outcome]) -> dict[str, EndpointCondition]:
    conditions: dict[str, EndpointCondition] = {}
    for outcome in batch:
        if outcome.condition is not None:
            earlier = conditions.get(outcome.due.endpoint_id)
            if earlier is None or earlier.disabled_at is None:
                conditions[outcome.due.endpoint_id] = outcome.condition
    return conditions
