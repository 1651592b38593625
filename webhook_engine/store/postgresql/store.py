"""The store in a PostgreSQL database."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from webhook_engine.errors import EngineAlreadyRunningError
from webhook_engine.shielded import shielded
from webhook_engine.store.lifecycle import Lifecycle
from webhook_engine.store.members import WakeupStore
from webhook_engine.store.postgresql.applications import PostgresqlApplications
from webhook_engine.store.postgresql.attempts import PostgresqlAttempts
from webhook_engine.store.postgresql.audit import PostgresqlAudit
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.deliveries import PostgresqlDeliveries
from webhook_engine.store.postgresql.endpoints import PostgresqlEndpoints
from webhook_engine.store.postgresql.event_types import PostgresqlEventTypes
from webhook_engine.store.postgresql.insight import PostgresqlInsight
from webhook_engine.store.postgresql.kept_responses import PostgresqlKeptResponses
from webhook_engine.store.postgresql.leases import PostgresqlLeases
from webhook_engine.store.postgresql.messages import PostgresqlMessages
from webhook_engine.store.postgresql.outbox import PostgresqlOutbox
from webhook_engine.store.postgresql.play import PostgresqlPlay
from webhook_engine.store.postgresql.portal_links import PostgresqlPortalLinks
from webhook_engine.store.postgresql.positions import PostgresqlPositions
from webhook_engine.store.postgresql.revocations import PostgresqlRevocations
from webhook_engine.store.postgresql.schema import migrate, migrations
from webhook_engine.store.postgresql.tasks import PostgresqlTasks
from webhook_engine.store.postgresql.upkeep import PostgresqlUpkeep
from webhook_engine.store.postgresql.wakeups import PostgresqlWakeups

__all__ = ["PostgresqlStore"]


class PostgresqlStore:
    """A :class:`~webhook_engine.store.seam.Store` in the database with this URL.

    Its tables are in ``schema``, which is made if it is not there, or in the first one of the user's search path.
    """

    def __init__(self, url: str, schema: str | None = None) -> None:
        self.database = Database(url, schema)
        self.applications = PostgresqlApplications(self.database)
        self.endpoints = PostgresqlEndpoints(self.database)
        self.event_types = PostgresqlEventTypes(self.database)
        self.messages = PostgresqlMessages(self.database)
        self.deliveries = PostgresqlDeliveries(self.database)
        self.attempts = PostgresqlAttempts(self.database)
        self.tasks = PostgresqlTasks(self.database)
        self.outbox = PostgresqlOutbox(self.database)
        self.revocations = PostgresqlRevocations(self.database)
        self.portal_links = PostgresqlPortalLinks(self.database)
        self.kept_responses = PostgresqlKeptResponses(self.database)
        self.positions = PostgresqlPositions(self.database)
        self.play = PostgresqlPlay(self.database)
        self.audit = PostgresqlAudit(self.database)
        self.insight = PostgresqlInsight(self.database)
        self.upkeep = PostgresqlUpkeep(self.database)
        self.leases = PostgresqlLeases(self.database)
        self.wakeups: WakeupStore | None = PostgresqlWakeups(self.database)
        self._opened = False
        self._lifecycle = Lifecycle()

    def on_commit(self, told: Callable[[int, float], None]) -> None:
        """Tell ``told`` how many changes each commit held, and how many seconds it took."""
        self.database.on_commit = told

    async def open(self) -> None:
        """Take the database for this engine and bring its schema up to date."""
        async with self._lifecycle.one_at_a_time():
            if self._opened:
                raise EngineAlreadyRunningError(f"{self.database.name} is in use by this engine already")
            try:
                self.database.member = secrets.token_hex(8)
                await self.database.open()
                await migrate(self.database, migrations(), whole=True)
                await self.database.start()
                self._opened = True
            except BaseException:
                await shielded(self._let_go())
                raise

    async def close(self) -> None:
        """Finish pending writes, and close. Closing twice is harmless."""
        await self._lifecycle.close(self._let_go)

    async def _let_go(self) -> None:
        self._opened = False
        # First what may still notify the others of a commit.
        await self.database.close()
        await self.leases.close()
        if self.wakeups is not None:
            await self.wakeups.close()
