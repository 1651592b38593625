"""Several engines on one simulated server: what PostgreSQL does for them, said in a few lines over SQLite.

Members, leases and shards are kept by the server's clock, edits are told of by triggers, and messages that were routed
by what an application was before, or outcomes of a member that has lost its lease, are refused in their transaction.
The engine's own part in it (who gives and takes which shard, when it may still send, what it makes of a notice) is the
real one. An engine may be cut off from the server, or be answered late.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar
from unittest import mock

import msgspec
from simulation.timeline import ProcessLoop, Timeline

from webhook_engine import core
from webhook_engine.config.sections import StoreConfig
from webhook_engine.delivery import shares
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.model import DeliveryStatus
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store import rows
from webhook_engine.store.members import (
    ALL_SHARDS,
    SHARDS,
    Given,
    LateOutcomesError,
    LeaseState,
    Member,
    Notice,
    RoutingChangedError,
    shard_of,
)
from webhook_engine.store.order import Turns
from webhook_engine.store.records import AddressedMessage, Due, OutboxRow, Outcomes, Routes, StoredEndpoint
from webhook_engine.store.sqlite.connection import Row, Session
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.deliveries import SqliteDeliveries
from webhook_engine.store.sqlite.endpoints import SqliteEndpoints
from webhook_engine.store.sqlite.messages import NewMessages, SqliteMessages
from webhook_engine.store.sqlite.outbox import SqliteOutbox
from webhook_engine.store.sqlite.outcomes import NewOutcomes
from webhook_engine.store.sqlite.store import SqliteStore

__all__ = ["Line", "Server", "shared", "with_shards"]

TTL_S = 5.0
WITHIN_S = 4.0
"""An answer that comes later is of no use."""
T = TypeVar("T")

LOOK_EVERY_S = 0.5
MISSED_AFTER_S = 40.0
MOST_NAMED = 2
"""Messages that a notice names for one endpoint; so few that more are tried, too."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS simulated_revision (application_id TEXT PRIMARY KEY, revision INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS simulated_notice (id INTEGER PRIMARY KEY AUTOINCREMENT, content TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS simulated_endpoint_added AFTER INSERT ON webhook_endpoint BEGIN
    INSERT OR REPLACE INTO simulated_revision VALUES (NEW.application_id, coalesce(
        (SELECT revision FROM simulated_revision WHERE application_id = NEW.application_id), 1) + 1);
    INSERT INTO simulated_notice (content) VALUES (
        json_object('endpoints', json_array(json_array(NEW.id, NEW.application_id, shard_of(NEW.id)))));
END;
CREATE TRIGGER IF NOT EXISTS simulated_endpoint_edited AFTER UPDATE ON webhook_endpoint
WHEN (OLD.uid, OLD.url, OLD.event_types, OLD.throttle_rate, OLD.version, OLD.encrypted_key, OLD.old_keys,
      OLD.disabled_at, OLD.disabled_reason, OLD.deleted, OLD.options, OLD.encrypted_credentials)
    IS NOT (NEW.uid, NEW.url, NEW.event_types, NEW.throttle_rate, NEW.version, NEW.encrypted_key, NEW.old_keys,
      NEW.disabled_at, NEW.disabled_reason, NEW.deleted, NEW.options, NEW.encrypted_credentials)
BEGIN
    INSERT OR REPLACE INTO simulated_revision VALUES (NEW.application_id, coalesce(
        (SELECT revision FROM simulated_revision WHERE application_id = NEW.application_id), 1) + 1);
    INSERT INTO simulated_notice (content) VALUES (
        json_object('endpoints', json_array(json_array(NEW.id, NEW.application_id, shard_of(NEW.id)))));
END;
CREATE TRIGGER IF NOT EXISTS simulated_attempt_asked AFTER INSERT ON webhook_manual_attempt BEGIN
    INSERT INTO simulated_notice (content) VALUES (
        json_object('manual', json_array(json_array(NEW.endpoint_id, shard_of(NEW.endpoint_id)))));
END;
CREATE TRIGGER IF NOT EXISTS simulated_task_added AFTER INSERT ON webhook_task BEGIN
    INSERT INTO simulated_notice (content) VALUES (json_object('tasks', json('true')));
END;
"""

_REVISIONS = "SELECT revision FROM simulated_revision WHERE application_id = ?"
_OF_APPLICATION = f"""
SELECT {rows.columns(rows.ENDPOINT)} FROM webhook_endpoint WHERE application_id = ? AND deleted = 0 ORDER BY id
"""
_CLOSED = "SELECT 1 FROM webhook_endpoint WHERE id = ? AND (disabled_at IS NOT NULL OR deleted)"
_NOTICES = "SELECT id, content FROM simulated_notice WHERE id > ? ORDER BY id"
_LAST_NOTICE = "SELECT coalesce(max(id), 0) FROM simulated_notice"
_DUE = """
SELECT
    delivery.message_id, delivery.endpoint_id, delivery.due_at, delivery.step, delivery.attempt_count, message.event_id,
    message.payload, NULL, message.trace_context, message.content_type, delivery.asked, NULL
FROM json_each(?1) AS wanted
CROSS JOIN webhook_delivery AS delivery
    ON delivery.endpoint_id = wanted.value ->> 0 AND delivery.message_id = wanted.value ->> 1
CROSS JOIN webhook_message AS message ON message.id = delivery.message_id
WHERE delivery.due_at IS NOT NULL AND delivery.order_key IS NULL
ORDER BY wanted.key
"""
_TELL = "INSERT INTO simulated_notice (content) VALUES (?)"


class Server:
    """What all engines have in common, besides the tables."""

    def __init__(self, timeline: Timeline, chance: random.Random) -> None:
        self.timeline = timeline
        self.chance = chance
        self.members: dict[str, _Seat] = {}
        self.holders: list[str | None] = [None] * SHARDS
        self.generations = [0] * SHARDS
        self._held: dict[str | None, list[int]] = {}
        """As :meth:`held_by` says it, since holders last changed."""
        self.lines: list[Line] = []
        self.violated: Callable[[str], None] = lambda _what: None

    def look_at_recorded(self, line: Line, outcomes: Outcomes) -> None:
        """What is to come of a delivery is said by who holds its endpoint; a success counts, whoever had it."""
        for change in outcomes.deliveries:
            holder = self.holders[shard_of(change.endpoint_id)]
            if change.status is not DeliveryStatus.SUCCEEDED and holder != line.member_id:
                self.violated(
                    f"{line.loop.name} records at {self.timeline.now:.3f} as {line.member_id} what is to come of "
                    f"{change.message_id} at {change.endpoint_id}, which is held by {holder}"
                )

    def wake(self, line: Line) -> None:
        """An engine has committed something that others should hear of."""
        for other in self.lines:
            if other is not line and not other.loop.dead and other.woken is not None:
                self.timeline.after(0.001 + self.chance.random() * 0.02, other.hear)

    def free(self, member_id: str) -> None:
        """Nobody holds what this member held."""
        for shard in self.held_by(member_id):
            self.hold(shard, None)

    def hold(self, shard: int, member_id: str | None) -> None:
        """From now on this member holds it, or nobody."""
        self.holders[shard] = member_id
        self._held.clear()

    def held_by(self, member_id: str | None) -> list[int]:
        """The shards that a member holds, or nobody."""
        if member_id not in self._held:
            self._held[member_id] = [shard for shard, holder in enumerate(self.holders) if holder == member_id]
        return self._held[member_id]


@dataclass
class _Seat:
    member: Member
    expires_at: float
    stored_below: str = ""


class Line:
    """The line of one engine to the server."""

    def __init__(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        self.loop = loop
        self.server = server
        self.member_id: str | None = None
        self.shards: frozenset[int] = frozenset()
        self.woken: asyncio.Event | None = None
        self.has_told = False
        self.is_cut = False
        self.late_s = 0.0
        server.lines.append(self)
        loop.line = self

    def told_with(self, result: T) -> T:
        """What was told with a change is committed: wake the others."""
        if self.has_told:
            self.has_told = False
            self.server.wake(self)
        return result

    def hear(self) -> None:
        """Another engine woke this one; who is cut off does not hear it."""
        if self.woken is not None and not self.loop.dead and not self.is_cut:
            woken = self.woken
            self.loop.call_soon(woken.set)

    async def trip(self) -> None:
        """There, or back; raises ``StoreUnavailableError``."""
        if self.is_cut:
            await asyncio.sleep(WITHIN_S)
            raise StoreUnavailableError("the server does not answer")
        await asyncio.sleep(self.late_s + self.server.chance.random() * 0.002)

    async def ask(self, do: Callable[[], object]) -> object:
        """Have the server do something at one instant; raises ``StoreUnavailableError``."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await self.trip()
                done = do()
                await self.trip()
                return done
        except TimeoutError as error:
            raise StoreUnavailableError("the server answers too late") from error


class _Leases:
    """See :class:`webhook_engine.store.members.LeaseStore`."""

    ttl_s = TTL_S

    def __init__(self, line: Line) -> None:
        self._line = line
        self._server = line.server

    async def join(self, member: Member) -> None:
        server = self._server

        def joined() -> None:
            server.members[member.id] = _Seat(member, server.timeline.now + TTL_S)

        await self._line.ask(joined)
        self._line.member_id = member.id

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> LeaseState | None:
        standing = await self._line.ask(lambda: self._renewed(member_id, take, stored_below))
        assert standing is None or isinstance(standing, LeaseState)
        return standing

    def _renewed(self, member_id: str, take: Collection[int], stored_below: str) -> LeaseState | None:
        server = self._server
        now, seat = server.timeline.now, server.members.get(member_id)
        if seat is None:
            return None
        seat.expires_at = now + TTL_S
        seat.stored_below = max(seat.stored_below, stored_below)
        for shard in take:
            if server.holders[shard] is None:
                server.hold(shard, member_id)
                server.generations[shard] += 1
        others = [one for name, one in server.members.items() if name != member_id and one.expires_at > now]
        return LeaseState(
            held={shard: server.generations[shard] for shard in server.held_by(member_id)},
            free=frozenset(server.held_by(None)),
            live=frozenset(name for name, one in server.members.items() if one.expires_at > now),
            lapsed=[name for name, one in server.members.items() if one.expires_at <= now],
            next_lapse_s=min((one.expires_at - now for one in others), default=None),
        )

    def sends_for(self, shards: frozenset[int]) -> None:
        self._line.shards = shards

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        server = self._server

        def given() -> None:
            for shard in shards:
                if server.holders[shard] == member_id:
                    server.hold(shard, None)

        await self._line.ask(given)

    async def bury(self, member_id: str) -> bool:
        server = self._server

        def buried() -> bool:
            seat = server.members.get(member_id)
            if seat is None or seat.expires_at > server.timeline.now:
                return False
            del server.members[member_id]
            server.free(member_id)
            return True

        return bool(await self._line.ask(buried))

    async def leave(self, member_id: str) -> None:
        server = self._server

        def left() -> None:
            server.members.pop(member_id, None)
            server.free(member_id)

        await self._line.ask(left)

    async def members(self) -> Sequence[Member]:
        return [seat.member for seat in self._server.members.values()]

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        return None

    async def stored_below(self) -> str | None:
        others = [seat for name, seat in self._server.members.items() if name != self._line.member_id]
        return min((seat.stored_below for seat in others), default=None)


class _Wakeups:
    """See :class:`webhook_engine.store.members.WakeupStore`."""

    look_every_s = LOOK_EVERY_S
    are_heard = True

    def __init__(self, line: Line, database: Database) -> None:
        self._line = line
        self._database = database
        self._read = 0
        self._read_at = 0.0

    async def start(self) -> None:
        self._line.woken = asyncio.Event()
        [(self._read,)] = await self._database.read(_LAST_NOTICE)
        self._read_at = self._line.server.timeline.now

    async def wait(self, seconds: float) -> bool:
        woken = self._line.woken
        assert woken is not None
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return False
        woken.clear()
        return True

    async def read(self) -> tuple[Sequence[Notice], bool]:
        now = self._line.server.timeline.now
        found = await self._database.read(_NOTICES, (self._read,))
        missed, self._read_at = now - self._read_at > MISSED_AFTER_S, now
        if found:
            self._read = found[-1][0]
        return [msgspec.json.decode(content, type=Notice) for _, content in found], missed

    async def due(self, wanted: Sequence[tuple[str, str]]) -> Sequence[Due]:
        values = rows.json_of([[*one] for one in wanted])
        return [rows.due(row) for row in await self._database.read(_DUE, (values,))]

    async def tell(self, notice: Notice) -> None:
        content = msgspec.json.encode(notice).decode()
        await self._database.write(lambda session: session.change(_TELL, (content,)))
        self.committed()

    def committed(self) -> None:
        if self._line.woken is not None:
            self._line.woken.set()
        self._line.server.wake(self._line)

    async def close(self) -> None:
        pass


class _Endpoints(SqliteEndpoints):
    async def routes(self, application_id: str) -> Routes | None:
        def read(session: Session) -> Routes:
            found = session.rows(_REVISIONS, (application_id,))
            endpoints = [rows.endpoint(row) for row in session.rows(_OF_APPLICATION, (application_id,))]
            return Routes(endpoints, found[0][0] if found else 1)

        return await self._database.read_with(read)


class _Messages(SqliteMessages):
    def __init__(self, database: Database, line: Line) -> None:
        super().__init__(database)
        self._line = line

    async def add(self, batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
        return self._line.told_with(await super().add(batch))


class _Deliveries(SqliteDeliveries):
    def __init__(self, database: Database, line: Line) -> None:
        super().__init__(database)
        self._line = line

    async def record(self, outcomes: Outcomes) -> Turns:
        new = NewOutcomes(outcomes)

        def record(session: Session) -> Turns:
            if outcomes.member is not None and outcomes.member not in self._line.server.members:
                raise LateOutcomesError(outcomes.member)
            self._line.server.look_at_recorded(self._line, outcomes)
            return new.record(session)

        return self._line.told_with(await self._database.write(record))

    async def endpoints_with_due(
        self, after: str | None, limit: int, shards: Collection[int] = ALL_SHARDS
    ) -> Sequence[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        while len(found) < limit and (page := await super().endpoints_with_due(after, 20)):
            found += [one for one in page if shard_of(one[0]) in shards]
            after = page[-1][0]
        return found[:limit]

    async def settle_pending(
        self,
        endpoint_id: str,
        status: DeliveryStatus,
        reason: str,
        now: int,
        limit: int,
        *,
        while_closed: bool = False,
    ) -> int:
        if while_closed and not await self._database.read(_CLOSED, (endpoint_id,)):
            return 0
        return await super().settle_pending(endpoint_id, status, reason, now, limit)


class _Outbox(SqliteOutbox):
    async def waiting(self, limit: int, shards: Collection[int] = ALL_SHARDS) -> Sequence[OutboxRow]:
        return [row for row in await super().waiting(10_000) if shard_of(row.application) in shards][:limit]

    async def waited_for(self, limit: int) -> frozenset[int]:
        return frozenset(row.id % SHARDS for row in await super().waiting(limit))


class SharedStore(SqliteStore):
    """A database that several engines are on."""

    def __init__(self, path: Path, server: Server) -> None:
        super().__init__(path)
        line = Line(server)
        self.endpoints = _Endpoints(self.database)
        self.messages = _Messages(self.database, line)
        self.deliveries = _Deliveries(self.database, line)
        self.outbox = _Outbox(self.database)
        self.leases = _Leases(line)  # type: ignore[assignment]
        self.wakeups = _Wakeups(line, self.database)

    async def open(self) -> None:
        await super().open()
        # Nothing is half done at any instant, so that another connection may write.
        with closing(sqlite3.connect(self.database.path)) as connection:
            connection.executescript(SCHEMA)


def _told(line: Line, session: Session, batch: Sequence[AddressedMessage]) -> None:
    """Leave a notice for those who hold endpoints that messages of the batch go to."""
    at_once: dict[tuple[str, int], tuple[int, list[str]]] = {}
    later: dict[tuple[str, int], int] = {}
    for one in batch:
        message = one.message
        due_at = message.created_at if message.deliver_at is None else message.deliver_at
        for endpoint_id, shard in zip(one.endpoint_ids, one.shards or (), strict=False):
            if shard in line.shards:
                continue
            key = (endpoint_id, shard)
            if message.deliver_at is None and one.manual_to is None and endpoint_id not in one.ordered:
                at_once.setdefault(key, (due_at, []))[1].append(message.id)
            else:
                later[key] = min(later.get(key, due_at), due_at)
    if at_once or later:
        given = [Given(*key, due_at) for key, due_at in later.items()]
        given += [Given(*key, due_at, ids if len(ids) <= MOST_NAMED else ()) for key, (due_at, ids) in at_once.items()]
        notice = Notice(deliveries=given)
        session.change(_TELL, (msgspec.json.encode(notice).decode(),))
        line.has_told = True


def _checked(line: Line, session: Session, batch: Sequence[AddressedMessage]) -> None:
    revisions = {one.message.application_id: one.revision for one in batch if one.revision is not None}
    if revisions and line.member_id not in line.server.members:
        raise StoreUnavailableError("this engine has lost its lease, and is just about to get another; try again")
    changed = [
        application_id
        for application_id, revision in revisions.items()
        if [revision] != ([one for (one,) in session.rows(_REVISIONS, (application_id,))] or [1])
    ]
    if changed:
        raise RoutingChangedError(changed)


def shared(server: Server) -> AbstractContextManager[object]:
    """Let each engine that is made be on this server."""
    add, read_endpoint = NewMessages.add, rows.endpoint

    def open_store(config: StoreConfig) -> SharedStore:
        assert config.path is not None
        return SharedStore(config.path, server)

    def add_messages(self: NewMessages, session: Session) -> Sequence[AddressedMessage]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        line = loop.line
        assert isinstance(line, Line)
        _checked(line, session, self._batch)
        refused = add(self, session)
        _told(line, session, self._batch)
        return refused

    def endpoint(row: Row) -> StoredEndpoint:
        stored = read_endpoint(row)
        return msgspec.structs.replace(stored, shard=shard_of(stored.endpoint.id))

    stack = ExitStack()
    for target, name, instead in (
        (core, "open_store", open_store),
        (NewMessages, "add", add_messages),
        (rows, "endpoint", endpoint),
        # The same again and again, for each set of members.
        (shares, "_drawn", lru_cache(maxsize=None)(shares._drawn)),
    ):
        stack.enter_context(mock.patch.object(target, name, instead))
    return stack


def with_shards(connection: sqlite3.Connection) -> None:
    """Let the triggers know to which shard an endpoint belongs."""
    connection.create_function("shard_of", 1, shard_of, deterministic=True)
