"""A service that polls an outbox regularly, and soon after this process wrote to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from webhook_engine.delivery.accept.intake import Intake
from webhook_engine.delivery.service import Service
from webhook_engine.errors import EngineNotRunningError, StoreError, WebhookEngineError
from webhook_engine.log import get_logger
from webhook_engine.outbox import wakeup
from webhook_engine.store.records import NewMessage, OutboxRow, RefusedRow

__all__ = ["OutboxWatcher", "messages_of"]

log = get_logger("outbox")

SOON_S = (0.001, 0.002, 0.005, 0.01, 0.02)
"""Delays of the polls after this process enqueued, in seconds: the row appears with a commit that follows soon."""
CATCH_UP_LOOKS_EVERY_S = 0.001


class OutboxWatcher(Service):
    """Base class of the services that move rows out of one outbox."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked = False
        """Whether to poll even if the database reports no change."""
        self._rounds = 0
        self._soon: list[float] = []
        self._forget: Callable[[], None] | None = None

    async def start(self) -> None:
        """Start, with the rows left in the outbox."""
        self.asked = True
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: the engine was never stopped
                loop.call_soon_threadsafe(self._hurry)

        self._forget = wakeup.subscribe(wake)
        await super().start()

    async def stop(self) -> None:
        """Stop after the current work."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        await super().stop()

    async def catch_up(self) -> None:
        """Return when every row that was committed before the call has been moved or set aside."""
        # The current round may have polled before the call; the one after it has not.
        target = self._rounds + 2
        while self._rounds < target and not self.stopping:
            self.asked = True
            self.nudge()
            await asyncio.sleep(CATCH_UP_LOOKS_EVERY_S)

    def looked(self) -> None:
        """Note the end of a round, which has moved all rows that it found."""
        self._rounds += 1

    async def rest(self, seconds: float) -> None:
        """Wait until the next poll, at most ``seconds``."""
        await self.nap(min(self._soon.pop(0), seconds) if self._soon else seconds)

    def _hurry(self) -> None:
        if not self._soon:
            self.nudge()
        self._soon = list(SOON_S)


async def messages_of(
    rows: Iterable[OutboxRow], intake: Intake, source: str | None = None
) -> tuple[list[tuple[OutboxRow, NewMessage]], list[RefusedRow]]:
    """The rows with their messages, in order, and the rows that can never be delivered, with the reasons."""
    made: list[tuple[OutboxRow, NewMessage]] = []
    refused: list[RefusedRow] = []
    for row in rows:
        try:
            made.append((row, await intake.message_of_row(row)))
        except (StoreError, EngineNotRunningError):
            raise
        except WebhookEngineError as error:
            refused.append(_set_aside(row, str(error), source))
        except Exception as error:
            # Whatever the error, one row must not block those behind it.
            log.exception("outbox.not_understood", outbox_id=row.id, source=source)
            refused.append(_set_aside(row, repr(error), source))
    return made, refused


def _set_aside(row: OutboxRow, error: str, source: str | None) -> RefusedRow:
    log.error("outbox.set_aside", outbox_id=row.id, application=row.application, error=error, source=source)
    return RefusedRow(row.id, error)
