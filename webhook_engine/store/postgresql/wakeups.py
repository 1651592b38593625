"""What the engines on one PostgreSQL tell one another: notices in a table, and a ``NOTIFY`` that there are some.

A notice is stored in the transaction that it is about, so none is lost. The ``NOTIFY`` is a transaction of its own
after that, because at its commit it takes a lock over the whole server. It carries the notices that this engine knows,
as far as there is room, so that others need not read them; one that carries nothing says that there is something to
read, such as what triggers have stored.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import TypeAlias

import asyncpg
import msgspec

from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.store import rows
from webhook_engine.store.members import Notice
from webhook_engine.store.postgresql.batches import arrays
from webhook_engine.store.postgresql.connection import Session, Told, quoted
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.own_line import OwnLine
from webhook_engine.store.records import Due

__all__ = ["PostgresqlWakeups"]

log = get_logger("members")

LOOK_EVERY_S = 0.5
LOOK_EVERY_BEHIND_POOLER_S = 0.05
COALESCED_S = 0.005
WITHIN_S = 5.0
MOST_BYTES = 4 * 1024 * 1024
MOST_CARRIED_BYTES = 7_900
"""Bytes; a ``NOTIFY`` can carry a little more."""
KEPT_S = 60
"""Seconds for which a notice is kept."""
MISSED_AFTER_S = 40.0
"""Seconds without a poll after which an engine may have missed notices."""
TIDIED_EVERY_S = 20.0

# A transaction that is under way may be older than one that is over. So each look begins where the oldest of those
# began that were under way at the last one, and leaves out what that one has found.
_READ = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, notice.xid, notice.id, notice.content
FROM (VALUES (1)) AS once
LEFT JOIN {schema}webhook_notice AS notice ON notice.xid >= $1 AND notice.id <> ALL ($2::bigint[])
ORDER BY notice.id
"""

_NOW = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""

_TELL = """
INSERT INTO {schema}webhook_notice (content) VALUES ($1) RETURNING xid, id
"""

# Not needed after a crash, so do not wait for the disk.
_WAKE = """
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)
"""

# Payloads are read only for rows that fit; their sizes are known without reading them. What has a place
# in an order waits for its turn, which is looked for.
_DUE = """
SELECT
    message_id, endpoint_id, due_at, step, attempt_count, event_id, payload, NULL, trace_context, content_type, asked,
    NULL
FROM (
    SELECT
        delivery.message_id, delivery.endpoint_id, delivery.due_at, delivery.step, delivery.attempt_count,
        delivery.asked, message.event_id, message.payload, message.trace_context, message.content_type, wanted.place,
        sum(octet_length(message.payload)) OVER (
            ORDER BY wanted.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS carried
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (endpoint_id, message_id, place)
    JOIN webhook_delivery AS delivery
        ON delivery.message_id = wanted.message_id AND delivery.endpoint_id = wanted.endpoint_id
    JOIN webhook_message AS message ON message.id = delivery.message_id
    WHERE delivery.due_at IS NOT NULL AND delivery.order_key IS NULL
) AS due
WHERE coalesce(carried, 0) < $3
ORDER BY place
"""

_TIDY = """
DELETE FROM {schema}webhook_notice
WHERE (xid, id) IN (
    SELECT xid, id FROM {schema}webhook_notice
    WHERE told_at < clock_timestamp() - $1 * interval '1 second'
    FOR UPDATE SKIP LOCKED
)
"""

_Carried: TypeAlias = tuple[int, int, Notice]
"""The transaction, the id, and the content of a notice."""
_NOTICE = msgspec.json.Decoder(Notice)
_CARRIED = msgspec.json.Decoder(list[_Carried])


class PostgresqlWakeups:
    """See :class:`~webhook_engine.store.members.WakeupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = OwnLine(database, WITHIN_S, self._connected)
        database.sharing.on_told = self._told
        schema = database.connector.schema
        self._prefix = "" if schema is None else f"{quoted(schema)}."
        self._channel = ""
        self._woken: asyncio.Event | None = None
        self._waking: set[asyncio.Task[None]] = set()
        self._about_to_wake = False
        self._to_carry: list[Told] = []
        """Notices that go with the next ``NOTIFY``."""
        self._to_be_read = False
        """Whether the next ``NOTIFY`` also announces others."""
        self._carried: list[_Carried] = []
        """Notices that came with a ``NOTIFY``."""
        self._must_read = True
        self._from = 0
        self._seen: dict[int, int] = {}
        """Notices that the next poll may find again, by id, with their transactions."""
        self._anew = False
        self._read_at = 0.0
        self._tidied_at = 0.0

    @property
    def look_every_s(self) -> float:
        """Seconds between polls for what no wake-up announced."""
        return LOOK_EVERY_S if self.are_heard else LOOK_EVERY_BEHIND_POOLER_S

    @property
    def are_heard(self) -> bool:
        """Whether wake-ups arrive at once: not behind a pooler."""
        return not self._database.connector.server.pooled

    async def start(self) -> None:
        """Start with notices from now on."""
        self._woken = asyncio.Event()
        self._about_to_wake = self._to_be_read = False
        self._to_carry, self._carried, self._must_read = [], [], False
        self._seen = {}
        self._from = int(await self._line.run(lambda session: session.value(_NOW)))
        self._read_at, self._anew = asyncio.get_running_loop().time(), False

    async def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most this long; returns whether there was one."""
        woken = self._woken
        assert woken is not None  # noqa: S101 (made by `start`)
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return False
        woken.clear()
        return True

    async def read(self) -> tuple[list[Notice], bool]:
        """Notices since the last call, and whether earlier ones may have been missed."""
        notices: list[Notice] = []
        missed = False
        if self._must_read or asyncio.get_running_loop().time() - self._read_at >= self.look_every_s:
            self._must_read = False
            try:
                missed = await self._read_into(notices)
            except BaseException:
                self._must_read = True
                raise
        # What arrived meanwhile may have been found as well; a notice older than a poll was found by it.
        carried, self._carried = self._carried, []
        for xid, identifier, notice in carried:
            if xid >= self._from and identifier not in self._seen:
                self._seen[identifier] = xid
                notices.append(notice)
        return notices, missed

    async def _read_into(self, notices: list[Notice]) -> bool:
        """Read notices since the last poll; returns whether earlier ones may have been missed."""
        now = asyncio.get_running_loop().time()
        # First, so that no found notice is lost if this fails.
        if now - self._tidied_at > TIDIED_EVERY_S:
            self._tidied_at = now
            await self._line.run(lambda session: session.change(self._sql(_TIDY), KEPT_S))
        first = self._from
        found = await self._line.run(lambda session: session.rows(self._sql(_READ), first, list(self._seen)))
        # The server may have crashed and lost notices.
        missed = self._anew or now - self._read_at > MISSED_AFTER_S
        self._read_at, self._anew = now, False
        self._from = int(found[0][0])
        for _, xid, identifier, content in found:
            if identifier is not None:
                self._seen[identifier] = xid
                notices.append(_NOTICE.decode(content))
        self._seen = {identifier: xid for identifier, xid in self._seen.items() if xid >= self._from}
        return missed

    async def due(self, wanted: Sequence[tuple[str, str]]) -> Sequence[Due]:
        """The scheduled ones of these deliveries, by endpoint and message, as far as their payloads fit."""
        found = await self._database.read(_DUE, *arrays(wanted, 2), MOST_BYTES)
        return [rows.due(row) for row in found]

    async def tell(self, notice: Notice) -> None:
        """Store a notice, and wake the other engines."""
        content = msgspec.json.encode(notice).decode()
        xid, identifier = await self._line.run(lambda session: session.row(self._sql(_TELL), content))
        self._told([Told(xid, identifier, content)])

    def committed(self) -> None:
        """A notice was stored with a change: wake the others soon."""
        self._look()
        if self.are_heard:
            self._to_be_read = True
            self._wake_soon()

    def _told(self, told: Sequence[Told]) -> None:
        if self.are_heard:
            self._to_carry.extend(told)
            self._wake_soon()

    def _wake_soon(self) -> None:
        if not self._about_to_wake:
            self._about_to_wake = True
            task = asyncio.create_task(self._wake(), name="webhook-engine-notify")
            self._waking.add(task)
            task.add_done_callback(self._waking.discard)

    async def close(self) -> None:
        """Send the last notices, and disconnect."""
        await asyncio.gather(*self._waking, return_exceptions=True)
        await self._line.close()

    async def _wake(self) -> None:
        try:
            await asyncio.sleep(COALESCED_S)
        finally:
            self._about_to_wake = False
        try:
            await self._line.run(self._notify)
        except StoreError as error:
            # They poll a moment later.
            log.debug("notify.failed", error=str(error))

    async def _notify(self, session: Session) -> None:
        told, self._to_carry = self._to_carry, []
        read, self._to_be_read = self._to_be_read, False
        carried = ",".join(f"[{xid},{identifier},{content}]" for xid, identifier, content in told)
        if read or len(carried.encode()) > MOST_CARRIED_BYTES:
            carried = ""
        await session.rows(_WAKE, self._channel, carried and f"[{carried}]")

    async def _connected(self, connection: asyncpg.Connection) -> None:
        self._anew = True
        if not self.are_heard:
            return
        schema = await connection.fetchval("SELECT current_schema()")
        self._channel = f"webhook_engine_{zlib.crc32(str(schema).encode()):08x}"
        await connection.add_listener(self._channel, self._heard)

    def _heard(self, _connection: object, _process: int, _channel: str, payload: object) -> None:
        if not payload:
            self._look()
            return
        self._carried.extend(_CARRIED.decode(str(payload)))
        if self._woken is not None:
            self._woken.set()

    def _look(self) -> None:
        self._must_read = True
        if self._woken is not None:
            self._woken.set()

    def _sql(self, statement: str) -> str:
        return statement.format(schema=self._prefix)
