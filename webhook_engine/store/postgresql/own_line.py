"""A connection that one part of the engine has for itself, and that is made again when it was lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from webhook_engine.loop_lock import LoopLock
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import CLOSE_WITHIN_S, Database
from webhook_engine.store.postgresql.faults import FAULTS, store_error

__all__ = ["OwnLine"]

T = TypeVar("T")


class OwnLine:
    """Runs single statements, one after the other, outside the transactions of everybody else.

    Each is a transaction of its own, so that an engine that is stopped in the midst of it holds no lock.
    """

    def __init__(
        self,
        database: Database,
        within_s: float,
        connected: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._within_s = within_s
        self._connected = connected
        self._connection: asyncpg.Connection | None = None
        self._turn = LoopLock()

    async def run(self, job: Callable[[Session], Awaitable[T]]) -> T:
        """The result of ``job``; raises ``StoreError``, also on timeout."""
        try:
            async with self._turn.here(), asyncio.timeout(self._within_s):
                try:
                    return await job(Session(await self._open()))
                except BaseException:
                    # An abandoned statement may still run: do not wait for it.
                    self.drop()
                    raise
        except FAULTS as error:
            raise store_error(self._database.name, error) from error

    def drop(self) -> None:
        """Let the connection go without a word to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAULTS):
                await connection.close(timeout=CLOSE_WITHIN_S)

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect_one()
            if self._connected is not None:
                await self._connected(self._connection)
        return self._connection
