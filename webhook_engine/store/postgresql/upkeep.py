"""Housekeeping in PostgreSQL: each step is one short transaction among the others.

Ids of messages, attempts and tasks begin with their time, so the primary keys lead to what is old. The space of what is
deleted is used again after the server's autovacuum has been there.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from webhook_engine.store.postgresql.clock_mark import forget_marks, keep_mark, read_mark
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.messages import FORGET_SENT_BODIES
from webhook_engine.store.records import ClockMark
from webhook_engine.store.rows import Row, old_keys_again
from webhook_engine.store.upkeep import Cleaned, EncryptAgain, EncryptUrl, StoreFigures

__all__ = ["PostgresqlUpkeep"]

T = TypeVar("T")

MAX_COUNTED_ENDPOINTS = 10_000
MARK_KEPT_US = 3_600 * 1_000_000
"""Microseconds for which the mark of a stopped engine is kept, besides the latest mark."""

_PENDING = """
SELECT count(*) FROM (SELECT 1 FROM webhook_delivery WHERE due_at IS NOT NULL LIMIT $1) AS found
"""

# Seeks each endpoint's first entry, instead of reading all entries.
_OLDEST_DUE = """
WITH RECURSIVE waiting (shard, endpoint_id, due_at) AS (
    (
        SELECT shard, endpoint_id, due_at FROM webhook_delivery WHERE due_at IS NOT NULL
        ORDER BY shard, endpoint_id, due_at LIMIT 1
    )
    UNION ALL
    SELECT following.shard, following.endpoint_id, following.due_at
    FROM waiting CROSS JOIN LATERAL (
        SELECT shard, endpoint_id, due_at FROM webhook_delivery
        WHERE (shard, endpoint_id) > (waiting.shard, waiting.endpoint_id) AND due_at IS NOT NULL
        ORDER BY shard, endpoint_id, due_at LIMIT 1
    ) AS following
)
SELECT min(due_at) FROM (SELECT due_at FROM waiting LIMIT $1) AS found
"""

_DISABLED = """
SELECT count(*) FROM (
    SELECT 1 FROM webhook_endpoint WHERE disabled_at IS NOT NULL AND NOT deleted LIMIT $1
) AS found
"""

_OUTBOX_WAITING = """
SELECT count(*) FROM (SELECT 1 FROM webhook_outbox WHERE error IS NULL LIMIT $1) AS found
"""

_OUTBOX_IN_ALL = """
SELECT count(*) FROM (SELECT 1 FROM webhook_outbox LIMIT $1) AS found
"""

_TABLE_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE nspname = current_schema() AND relkind = 'r' AND relname LIKE 'webhook\\_%'
"""

_MESSAGES = """
SELECT
    id,
    payload IS NOT NULL AND payload_expires_at IS NULL,
    EXISTS (
        SELECT 1 FROM webhook_delivery WHERE message_id = message.id AND (due_at IS NOT NULL OR order_key IS NOT NULL)
    )
    OR EXISTS (
        SELECT 1 FROM webhook_delivery AS delivery
        JOIN webhook_manual_attempt AS manual ON manual.endpoint_id = delivery.endpoint_id
        WHERE delivery.message_id = message.id AND manual.message_id = message.id
    )
FROM webhook_message AS message
WHERE id > $1 AND id < $2
ORDER BY id
LIMIT $3
"""

# A concurrent request for an attempt of the message waits for this, and then finds no payload.
_LOCK_MESSAGES = """
SELECT id FROM webhook_message WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3 FOR UPDATE
"""

_DROP_PAYLOADS = """
UPDATE webhook_message SET payload = NULL WHERE id = ANY($1::text[])
"""

_EXPIRE_OWN = """
UPDATE webhook_message SET payload = NULL, payload_expires_at = NULL WHERE id IN (
    SELECT id FROM webhook_message
    WHERE payload_expires_at IS NOT NULL AND payload_expires_at <= $1
    ORDER BY payload_expires_at LIMIT $2
)
RETURNING id
"""

_DELETE_ATTEMPTS = """
DELETE FROM webhook_attempt WHERE message_id = ANY($1::text[]) AND id < $2
"""

_STILL_ATTEMPTED = """
SELECT DISTINCT message_id FROM webhook_attempt WHERE message_id = ANY($1::text[])
"""

_DELETE = (
    "DELETE FROM webhook_delivery WHERE message_id = ANY($1::text[])",
    "DELETE FROM webhook_message WHERE id = ANY($1::text[])",
)

_PURGE = (
    "DELETE FROM webhook_revocation WHERE (subject, up_to) IN"
    " (SELECT subject, up_to FROM webhook_revocation WHERE drop_at <= $1 LIMIT $2)",
    "DELETE FROM webhook_portal_link WHERE digest IN"
    " (SELECT digest FROM webhook_portal_link WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM webhook_kept_response WHERE digest IN"
    " (SELECT digest FROM webhook_kept_response WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    "DELETE FROM webhook_play_request WHERE (token, id) IN (SELECT request.token, request.id"
    " FROM webhook_play_inbox AS inbox JOIN webhook_play_request AS request ON request.token = inbox.token"
    " WHERE inbox.expires_at <= $1 LIMIT $2)",
    "DELETE FROM webhook_play_inbox WHERE token IN (SELECT inbox.token FROM webhook_play_inbox AS inbox"
    " WHERE inbox.expires_at <= $1 AND NOT EXISTS"
    " (SELECT 1 FROM webhook_play_request AS request WHERE request.token = inbox.token) LIMIT $2)",
)

_DELETE_TASKS = """
DELETE FROM webhook_task
WHERE id IN (SELECT id FROM webhook_task WHERE id < $1 AND status <> 'running' ORDER BY id LIMIT $2)
"""

_DELETE_AUDIT = """
DELETE FROM webhook_audit WHERE id IN (SELECT id FROM webhook_audit WHERE id < $1 ORDER BY id LIMIT $2)
"""

_LONGEST_RAN = """
SELECT coalesce(max(last_failure_ran), 0) FROM webhook_endpoint
"""

_NEWEST_ID = """
SELECT max(id) FROM webhook_message WHERE id <= $1
"""

_SECRETS = """
SELECT id, encrypted_key, old_keys, encrypted_headers, encrypted_user_info, encrypted_credentials FROM webhook_endpoint
WHERE id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE
"""

_SET_SECRETS = """
UPDATE webhook_endpoint
SET encrypted_key = $2, old_keys = $3, encrypted_headers = $4, encrypted_user_info = $5, encrypted_credentials = $6
WHERE id = $1
"""


class PostgresqlUpkeep:
    """See :class:`~webhook_engine.store.upkeep.UpkeepStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.spent_s = 0.0

    async def figures(self, limit: int) -> StoreFigures:
        """Counted in indexes, up to ``limit``."""

        async def look(session: Session) -> StoreFigures:
            waiting = await session.value(_OUTBOX_WAITING, limit)
            return StoreFigures(
                pending=await session.value(_PENDING, limit),
                oldest_due_at=await session.value(_OLDEST_DUE, MAX_COUNTED_ENDPOINTS),
                disabled_endpoints=await session.value(_DISABLED, limit),
                outbox_waiting=waiting,
                outbox_set_aside=max(0, await session.value(_OUTBOX_IN_ALL, limit) - waiting),
                size_bytes=await session.value(_TABLE_BYTES),
            )

        return await self._database.read_with(look)

    async def clock_mark(self) -> ClockMark | None:
        """The last reading of the clock."""
        return await self._database.read_with(read_mark)

    async def keep_clock_mark(self, mark: ClockMark) -> None:
        """Store the clock mark."""

        async def change(session: Session) -> None:
            await keep_mark(session, mark, self._database.member)
            await forget_marks(session, self._database.member, mark.seen_at - MARK_KEPT_US)

        await self._database.write(change)

    async def longest_ran(self) -> int:
        """The greatest ``ran`` in the failure windows of all endpoints."""
        [(longest,)] = await self._database.read(_LONGEST_RAN)
        return int(longest)

    async def newest_id(self, until: str) -> str | None:
        """The highest id of a message up to ``until``."""
        [(newest,)] = await self._database.read(_NEWEST_ID, until)
        return None if newest is None else str(newest)

    async def ping(self) -> None:
        """Run an empty transaction on a writer."""
        await self._database.write(_nothing)

    async def check(self, within_s: float) -> None:
        """Raises ``StoreUnavailableError`` if writing fails, or does not end in time."""
        await self._database.check(within_s)

    async def expire_payloads(self, after: str, until: str, limit: int) -> Cleaned:
        """Delete the payloads of messages with ids in (``after``, ``until``)."""
        found = await self._database.read(_MESSAGES, after, until, limit)
        ids = [message_id for message_id, has_payload, busy in found if has_payload and not busy]
        if ids:
            await self._step(lambda session: _drop(session, ids))
        kept = next((message_id for message_id, has_payload, busy in found if has_payload and busy), None)
        return _cleaned(found, limit, len(ids), kept)

    async def expire_own_payloads(self, now: int, limit: int) -> Sequence[str]:
        """Delete up to ``limit`` payloads whose own retention is over."""

        async def expire(session: Session) -> Sequence[str]:
            ids = [message_id for (message_id,) in await session.rows(_EXPIRE_OWN, now, limit)]
            if ids:
                await session.change(FORGET_SENT_BODIES, ids)
            return ids

        return await self._step(expire)

    async def delete_messages(self, after: str, until: str, attempts_until: str, limit: int) -> Cleaned:
        """Delete messages with ids in (``after``, ``until``), with their deliveries and attempts."""

        async def change(session: Session) -> Cleaned:
            await session.rows(_LOCK_MESSAGES, after, until, limit)
            found = await session.rows(_MESSAGES, after, until, limit)
            idle = [message_id for message_id, _, busy in found if not busy]
            await session.change(_DELETE_ATTEMPTS, idle, attempts_until)
            attempted = {message_id for (message_id,) in await session.rows(_STILL_ATTEMPTED, idle)}
            if attempted:
                await _drop(session, sorted(attempted))
            gone = [message_id for message_id in idle if message_id not in attempted]
            for statement in _DELETE:
                await session.change(statement, gone)
            kept = next((message_id for message_id, _, busy in found if busy or message_id in attempted), None)
            return _cleaned(found, limit, len(idle) - len(attempted), kept)

        return await self._step(change)

    async def purge(self, now: int, limit: int) -> int:
        """Delete up to ``limit`` expired rows of each other table."""

        async def change(session: Session) -> int:
            return sum([await session.change(statement, now, limit) for statement in _PURGE])

        return await self._step(change)

    async def delete_tasks(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` finished tasks with ids below ``until``."""
        return await self._step(lambda session: session.change(_DELETE_TASKS, until, limit))

    async def delete_audit(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` entries of the audit log with ids below ``until``."""
        return await self._step(lambda session: session.change(_DELETE_AUDIT, until, limit))

    async def shrink(self, reserve: float, most_bytes: int) -> int:
        """Does nothing: the autovacuum of the server frees space."""
        return 0

    async def encrypt_again(self, encrypt_again: EncryptAgain, after: str, limit: int) -> tuple[int, str | None]:
        """Encrypt the secrets of up to ``limit`` endpoints again, in the order of ids."""

        async def change(session: Session) -> tuple[int, str | None]:
            found = await session.rows(_SECRETS, after, limit)
            changed = 0
            for endpoint_id, key, old_keys, headers, user_info, credentials in found:
                fresh = (
                    encrypt_again(key, endpoint_id) or key,
                    old_keys_again(encrypt_again, endpoint_id, old_keys),
                    headers and (encrypt_again(headers, f"{endpoint_id}/headers") or headers),
                    user_info and (encrypt_again(user_info, f"{endpoint_id}/url") or user_info),
                    credentials and (encrypt_again(credentials, f"{endpoint_id}/credentials") or credentials),
                )
                if fresh != (key, old_keys, headers, user_info, credentials):
                    changed += await session.change(_SET_SECRETS, endpoint_id, *fresh)
            return changed, found[-1][0] if len(found) == limit else None

        return await self._database.write(change)

    async def encrypt_urls(self, encrypt: EncryptUrl, after: str, limit: int) -> tuple[int, str | None]:
        """Does nothing: no version has stored passwords of URLs in plain text in PostgreSQL."""
        return 0, None

    async def _step(self, change: Callable[[Session], Awaitable[T]]) -> T:
        async def timed(session: Session) -> T:
            began_at = time.perf_counter()
            try:
                return await change(session)
            finally:
                self.spent_s += time.perf_counter() - began_at

        return await self._database.write(timed)


async def _nothing(_session: Session) -> None:
    return None


def _cleaned(found: list[Row], limit: int, changed: int, kept: str | None) -> Cleaned:
    cursor = found[-1][0] if len(found) == limit else None
    return Cleaned(looked_at=len(found), changed=changed, kept=kept, cursor=cursor)


async def _drop(session: Session, message_ids: Sequence[str]) -> None:
    await session.change(_DROP_PAYLOADS, message_ids)
    await session.change(FORGET_SENT_BODIES, message_ids)
