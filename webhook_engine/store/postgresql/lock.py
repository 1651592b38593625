"""Keeps a second engine off a schema, for as long as this one's connection lasts."""

from __future__ import annotations

import contextlib

import asyncpg

from webhook_engine.errors import EngineAlreadyRunningError
from webhook_engine.store.postgresql.database import CLOSE_WITHIN_S, Database
from webhook_engine.store.postgresql.faults import FAULTS

__all__ = ["EngineLock"]

_SPACE = 0x7768_656E
"""The first half of the advisory lock; the second is made of the schema's name."""

_TAKE = f"SELECT pg_try_advisory_lock({_SPACE}, hashtext(current_schema()))"
_HOLDER = f"""
SELECT activity.pid, coalesce(host(activity.client_addr), 'its own machine')
FROM pg_locks AS held JOIN pg_stat_activity AS activity ON activity.pid = held.pid
WHERE held.locktype = 'advisory' AND held.classid = {_SPACE} AND held.objid = hashtext(current_schema())::oid
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND held.granted
"""  # noqa: S608 (a number of ours)


class EngineLock:
    """Says that an engine runs on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: asyncpg.Connection | None = None

    def require_free(self) -> None:
        """Raises ``EngineAlreadyRunningError`` if this one has it already."""
        if self._connection is not None:
            raise EngineAlreadyRunningError(f"{self._database.name} is in use by this engine already")

    async def acquire(self) -> None:
        """Raises ``EngineAlreadyRunningError`` that names the holder if another engine has it."""
        connection = await self._database.connect_one()
        try:
            if not await connection.fetchval(_TAKE):
                holder = await connection.fetchrow(_HOLDER)
                who = f"the backend {holder[0]}, from {holder[1]}" if holder else "which is just ending"
                raise EngineAlreadyRunningError(
                    f"{self._database.name} is in use by another engine ({who}); stop that one, "
                    "or give this one a schema of its own (store.schema)"
                )
        except BaseException:
            await connection.close(timeout=CLOSE_WITHIN_S)
            raise
        self._connection = connection

    async def release(self) -> None:
        """Let go; harmless where nothing is held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAULTS):
                await connection.close(timeout=CLOSE_WITHIN_S)
