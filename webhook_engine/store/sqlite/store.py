"""The store in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from webhook_engine.shielded import shielded
from webhook_engine.store.lifecycle import Lifecycle
from webhook_engine.store.members import WakeupStore
from webhook_engine.store.sqlite.applications import SqliteApplications
from webhook_engine.store.sqlite.attempts import SqliteAttempts
from webhook_engine.store.sqlite.audit import SqliteAudit
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.deliveries import SqliteDeliveries
from webhook_engine.store.sqlite.endpoints import SqliteEndpoints
from webhook_engine.store.sqlite.event_types import SqliteEventTypes
from webhook_engine.store.sqlite.insight import SqliteInsight
from webhook_engine.store.sqlite.kept_responses import SqliteKeptResponses
from webhook_engine.store.sqlite.leases import SqliteLeases
from webhook_engine.store.sqlite.lock import EngineLock
from webhook_engine.store.sqlite.messages import SqliteMessages
from webhook_engine.store.sqlite.outbox import SqliteOutbox
from webhook_engine.store.sqlite.play import SqlitePlay
from webhook_engine.store.sqlite.portal_links import SqlitePortalLinks
from webhook_engine.store.sqlite.positions import SqlitePositions
from webhook_engine.store.sqlite.revocations import SqliteRevocations
from webhook_engine.store.sqlite.schema import migrate, migrations
from webhook_engine.store.sqlite.tasks import SqliteTasks
from webhook_engine.store.sqlite.upkeep import SqliteUpkeep

__all__ = ["SqliteStore"]


class SqliteStore:
    """A :class:`~webhook_engine.store.seam.Store` in the SQLite file at ``path``, made if it is not there."""

    def __init__(self, path: Path) -> None:
        # Made absolute now, so that neither a change of directory nor a symbolic link leads past the lock.
        path = path.resolve()
        self.database = Database(path)
        self.applications = SqliteApplications(self.database)
        self.endpoints = SqliteEndpoints(self.database)
        self.event_types = SqliteEventTypes(self.database)
        self.messages = SqliteMessages(self.database)
        self.deliveries = SqliteDeliveries(self.database)
        self.attempts = SqliteAttempts(self.database)
        self.tasks = SqliteTasks(self.database)
        self.outbox = SqliteOutbox(self.database)
        self.revocations = SqliteRevocations(self.database)
        self.portal_links = SqlitePortalLinks(self.database)
        self.kept_responses = SqliteKeptResponses(self.database)
        self.positions = SqlitePositions(self.database)
        self.play = SqlitePlay(self.database)
        self.audit = SqliteAudit(self.database)
        self.insight = SqliteInsight(self.database)
        self.upkeep = SqliteUpkeep(self.database)
        self.leases = SqliteLeases()
        self.wakeups: WakeupStore | None = None
        self._lock = EngineLock(path)
        self._lifecycle = Lifecycle()

    def on_commit(self, told: Callable[[int, float], None]) -> None:
        """Tell ``told`` how many changes each commit holds, and how many seconds it took."""
        self.database.on_commit = told

    async def open(self) -> None:
        """Take the database for this engine and bring its schema up to date."""
        async with self._lifecycle.one_at_a_time():
            self._lock.acquire()
            try:
                await self.database.open()
                await migrate(self.database, migrations())
                await self.database.start()
            except BaseException:
                await shielded(self._let_go())
                raise

    async def close(self) -> None:
        """Finish pending writes, and close. Closing twice is harmless."""
        await self._lifecycle.close(self._let_go)

    async def _let_go(self) -> None:
        await self.database.close()
        self._lock.release()
