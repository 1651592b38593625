"""Housekeeping in SQLite: each step is one short transaction among the others.

Ids of messages, attempts and tasks begin with their time, so the primary keys lead to what is old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

from webhook_engine.store.records import ClockMark
from webhook_engine.store.rows import json_of, old_keys_again
from webhook_engine.store.sqlite.clock_mark import keep_mark, read_mark
from webhook_engine.store.sqlite.connection import Row, Session
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.messages import FORGET_SENT_BODIES
from webhook_engine.store.upkeep import Cleaned, EncryptAgain, EncryptUrl, StoreFigures

__all__ = ["SqliteUpkeep"]

T = TypeVar("T")

MAX_COUNTED_ENDPOINTS = 10_000

_PENDING = """
SELECT count(*) FROM (
    SELECT 1 FROM webhook_delivery INDEXED BY webhook_delivery_by_due WHERE due_at IS NOT NULL LIMIT ?
)
"""

# Seeks each endpoint's first entry, instead of reading all entries.
_OLDEST_DUE = """
WITH RECURSIVE waiting (endpoint_id, due_at) AS (
    SELECT endpoint_id, due_at FROM (
        SELECT endpoint_id, due_at FROM webhook_delivery INDEXED BY webhook_delivery_by_due
        WHERE due_at IS NOT NULL
        ORDER BY endpoint_id, due_at LIMIT 1
    )
    UNION ALL
    SELECT following.value ->> 0, following.value ->> 1
    FROM waiting, json_each(json_array((
        SELECT json_array(endpoint_id, due_at) FROM webhook_delivery INDEXED BY webhook_delivery_by_due
        WHERE endpoint_id > waiting.endpoint_id AND due_at IS NOT NULL
        ORDER BY endpoint_id, due_at LIMIT 1
    ))) AS following
    WHERE following.value IS NOT NULL
    LIMIT ?
)
SELECT min(due_at) FROM waiting
"""

_DISABLED = """
SELECT count(*) FROM (SELECT 1 FROM webhook_endpoint INDEXED BY webhook_endpoint_disabled
WHERE disabled_at IS NOT NULL AND deleted = 0 LIMIT ?)
"""

_OUTBOX_WAITING = """
SELECT count(*) FROM (SELECT 1 FROM webhook_outbox INDEXED BY webhook_outbox_waiting WHERE error IS NULL LIMIT ?)
"""

_OUTBOX_IN_ALL = """
SELECT count(*) FROM (SELECT 1 FROM webhook_outbox LIMIT ?)
"""

_MESSAGES = """
SELECT
    id,
    payload IS NOT NULL AND payload_expires_at IS NULL,
    EXISTS (
        SELECT 1 FROM webhook_delivery WHERE message_id = message.id AND (+due_at IS NOT NULL OR +order_key IS NOT NULL)
    )
    OR EXISTS (
        SELECT 1 FROM webhook_delivery AS delivery
        JOIN webhook_manual_attempt AS manual ON manual.endpoint_id = delivery.endpoint_id
        WHERE delivery.message_id = message.id AND manual.message_id = message.id
    )
FROM webhook_message AS message
WHERE id > ?1 AND id < ?2
ORDER BY id
LIMIT ?3
"""

_DROP_PAYLOADS = """
UPDATE webhook_message SET payload = NULL WHERE id IN (SELECT value FROM json_each(?1))
"""

_EXPIRE_OWN = """
UPDATE webhook_message SET payload = NULL, payload_expires_at = NULL WHERE id IN (
    SELECT id FROM webhook_message INDEXED BY webhook_message_by_payload_expiry
    WHERE payload_expires_at IS NOT NULL AND payload_expires_at <= ?1 LIMIT ?2
)
RETURNING id
"""

_DELETE_ATTEMPTS = """
DELETE FROM webhook_attempt WHERE message_id IN (SELECT value FROM json_each(?1)) AND id < ?2
"""

_STILL_ATTEMPTED = """
SELECT DISTINCT message_id FROM webhook_attempt WHERE message_id IN (SELECT value FROM json_each(?1))
"""

_DELETE = (
    "DELETE FROM webhook_delivery WHERE message_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM webhook_message WHERE id IN (SELECT value FROM json_each(?1))",
)

_PURGE = (
    "DELETE FROM webhook_revocation WHERE (subject, up_to) IN"
    " (SELECT subject, up_to FROM webhook_revocation WHERE drop_at <= ?1 LIMIT ?2)",
    "DELETE FROM webhook_portal_link WHERE digest IN"
    " (SELECT digest FROM webhook_portal_link WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM webhook_kept_response WHERE digest IN"
    " (SELECT digest FROM webhook_kept_response WHERE expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM webhook_play_request WHERE rowid IN (SELECT request.rowid FROM webhook_play_inbox AS inbox"
    " CROSS JOIN webhook_play_request AS request ON request.token = inbox.token"
    " WHERE inbox.expires_at <= ?1 LIMIT ?2)",
    "DELETE FROM webhook_play_inbox WHERE token IN (SELECT inbox.token FROM webhook_play_inbox AS inbox"
    " WHERE inbox.expires_at <= ?1 AND NOT EXISTS"
    " (SELECT 1 FROM webhook_play_request AS request WHERE request.token = inbox.token) LIMIT ?2)",
)

_DELETE_TASKS = """
DELETE FROM webhook_task WHERE id IN (SELECT id FROM webhook_task WHERE id < ?1 AND status <> 'running' LIMIT ?2)
"""

_DELETE_AUDIT = """
DELETE FROM webhook_audit WHERE id IN (SELECT id FROM webhook_audit WHERE id < ?1 ORDER BY id LIMIT ?2)
"""

_LONGEST_RAN = """
SELECT coalesce(max(last_failure_ran), 0) FROM webhook_endpoint
"""

_NEWEST_ID = """
SELECT max(id) FROM webhook_message WHERE id <= ?
"""

_SECRETS = """
SELECT id, encrypted_key, old_keys, encrypted_headers, encrypted_user_info, encrypted_credentials FROM webhook_endpoint
WHERE id > ?1 ORDER BY id LIMIT ?2
"""

_SET_SECRETS = """
UPDATE webhook_endpoint
SET encrypted_key = ?2, old_keys = ?3, encrypted_headers = ?4, encrypted_user_info = ?5, encrypted_credentials = ?6
WHERE id = ?1
"""

_CLEAR_URLS = """
SELECT id, url FROM webhook_endpoint INDEXED BY webhook_endpoint_clear_url
WHERE encrypted_user_info IS NULL AND url GLOB '*://*@*' AND id > ?1
ORDER BY id LIMIT ?2
"""

_SET_URL = """
UPDATE webhook_endpoint SET url = ?2, encrypted_user_info = ?3 WHERE id = ?1
"""

_SET_URL_OF_ATTEMPTS = """
UPDATE webhook_attempt SET url = ?2 WHERE endpoint_id = ?1 AND url = ?3
"""


class SqliteUpkeep:
    """See :class:`~webhook_engine.store.upkeep.UpkeepStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.spent_s = 0.0

    async def figures(self, limit: int) -> StoreFigures:
        """Counted in indexes, up to ``limit``."""
        path = self._database.path

        def look(session: Session) -> StoreFigures:
            outbox = _number(session, _OUTBOX_WAITING, limit) or 0
            page = _number(session, "PRAGMA page_size") or 0
            return StoreFigures(
                pending=_number(session, _PENDING, limit) or 0,
                oldest_due_at=_number(session, _OLDEST_DUE, MAX_COUNTED_ENDPOINTS),
                disabled_endpoints=_number(session, _DISABLED, limit) or 0,
                outbox_waiting=outbox,
                outbox_set_aside=max(0, (_number(session, _OUTBOX_IN_ALL, limit) or 0) - outbox),
                size_bytes=sum(_size(path.with_name(f"{path.name}{suffix}")) for suffix in ("", "-wal")),
                free_bytes=(_number(session, "PRAGMA freelist_count") or 0) * page,
            )

        return await self._database.read_with(look)

    async def clock_mark(self) -> ClockMark | None:
        """The last reading of the clock."""
        return await self._database.read_with(read_mark)

    async def keep_clock_mark(self, mark: ClockMark) -> None:
        """Store the clock mark."""
        await self._database.write(lambda session: keep_mark(session, mark))

    async def longest_ran(self) -> int:
        """The greatest ``ran`` in the failure windows of all endpoints."""
        [(longest,)] = await self._database.read(_LONGEST_RAN)
        return cast(int, longest)

    async def newest_id(self, until: str) -> str | None:
        """The highest id of a message up to ``until``."""
        [(newest,)] = await self._database.read(_NEWEST_ID, (until,))
        return cast("str | None", newest)

    async def ping(self) -> None:
        """Have the writer do its next transaction, an empty one."""
        await self._database.write(lambda _: None)

    async def check(self, within_s: float) -> None:
        """Raises ``StoreUnavailableError`` if writing fails, or does not end in time."""
        await self._database.check(within_s)

    async def expire_payloads(self, after: str, until: str, limit: int) -> Cleaned:
        """Delete the payloads of messages with ids in (``after``, ``until``)."""
        found = await self._database.read(_MESSAGES, (after, until, limit))
        ids = [message_id for message_id, has_payload, busy in found if has_payload and not busy]
        if ids:
            await self._step(lambda session: _drop(session, ids))
        kept = next((message_id for message_id, has_payload, busy in found if has_payload and busy), None)
        return _cleaned(found, limit, len(ids), kept)

    async def expire_own_payloads(self, now: int, limit: int) -> Sequence[str]:
        """Delete up to ``limit`` payloads whose own retention is over."""

        def expire(session: Session) -> Sequence[str]:
            ids = [message_id for (message_id,) in session.rows(_EXPIRE_OWN, (now, limit))]
            if ids:
                session.change(FORGET_SENT_BODIES, (json_of(ids),))
            return ids

        return await self._step(expire)

    async def delete_messages(self, after: str, until: str, attempts_until: str, limit: int) -> Cleaned:
        """Delete messages with ids in (``after``, ``until``), with their deliveries and attempts."""

        def change(session: Session) -> Cleaned:
            found = session.rows(_MESSAGES, (after, until, limit))
            idle = [message_id for message_id, _, busy in found if not busy]
            wanted = json_of(idle)
            session.change(_DELETE_ATTEMPTS, (wanted, attempts_until))
            attempted = {message_id for (message_id,) in session.rows(_STILL_ATTEMPTED, (wanted,))}
            _drop(session, sorted(attempted))
            gone = json_of([message_id for message_id in idle if message_id not in attempted])
            for statement in _DELETE:
                session.change(statement, (gone,))
            kept = next((message_id for message_id, _, busy in found if busy or message_id in attempted), None)
            return _cleaned(found, limit, len(idle) - len(attempted), kept)

        return await self._step(change)

    async def purge(self, now: int, limit: int) -> int:
        """Delete up to ``limit`` expired rows of each other table."""
        return await self._step(lambda session: sum(session.change(statement, (now, limit)) for statement in _PURGE))

    async def delete_tasks(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` finished tasks with ids below ``until``."""
        return await self._step(lambda session: session.change(_DELETE_TASKS, (until, limit)))

    async def delete_audit(self, until: str, limit: int) -> int:
        """Delete up to ``limit`` entries of the audit log with ids below ``until``."""
        return await self._step(lambda session: session.change(_DELETE_AUDIT, (until, limit)))

    async def shrink(self, reserve: float, most_bytes: int) -> int:
        """Free up to ``most_bytes`` to the file system, but keep this share of the database free."""

        def spare(session: Session) -> tuple[int, int]:
            if _number(session, "PRAGMA auto_vacuum") != INCREMENTAL:
                return 0, 0
            pages = _number(session, "PRAGMA page_count") or 0
            free = _number(session, "PRAGMA freelist_count") or 0
            page = _number(session, "PRAGMA page_size") or 1
            return min(free - int(pages * reserve), most_bytes // page), page

        pages, page_size = await self._database.read_with(spare)
        if pages <= 0:
            return 0

        def change(session: Session) -> None:
            # Page by page: Python's module takes the first step of such a statement only, and that is one page.
            for _ in range(pages):
                session.rows("PRAGMA incremental_vacuum(1)")

        await self._step(change)
        return pages * page_size

    async def encrypt_again(self, encrypt_again: EncryptAgain, after: str, limit: int) -> tuple[int, str | None]:
        """Encrypt the secrets of up to ``limit`` endpoints again, in the order of ids."""

        def change(session: Session) -> tuple[int, str | None]:
            found = session.rows(_SECRETS, (after, limit))
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
                    changed += session.change(_SET_SECRETS, (endpoint_id, *fresh))
            return changed, found[-1][0] if len(found) == limit else None

        return await self._database.write(change)

    async def encrypt_urls(self, encrypt: EncryptUrl, after: str, limit: int) -> tuple[int, str | None]:
        """Encrypt what URLs have in clear, of up to ``limit`` endpoints in the order of ids."""

        def change(session: Session) -> tuple[int, str | None]:
            found = session.rows(_CLEAR_URLS, (after, limit))
            changed = 0
            for endpoint_id, url in found:
                if (encrypted := encrypt(endpoint_id, url)) is not None:
                    session.change(_SET_URL_OF_ATTEMPTS, (endpoint_id, encrypted[0], url))
                    changed += session.change(_SET_URL, (endpoint_id, *encrypted))
            return changed, found[-1][0] if len(found) == limit else None

        return await self._database.write(change)

    async def _step(self, change: Callable[[Session], T]) -> T:
        def timed(session: Session) -> T:
            began_at = time.perf_counter()
            try:
                return change(session)
            finally:
                self.spent_s += time.perf_counter() - began_at

        return await self._database.write(timed)


INCREMENTAL = 2
"""What ``PRAGMA auto_vacuum`` says of a file that can be made smaller step by step."""


def _cleaned(found: list[Row], limit: int, changed: int, kept: str | None) -> Cleaned:
    cursor = cast(str, found[-1][0]) if len(found) == limit else None
    return Cleaned(looked_at=len(found), changed=changed, kept=kept, cursor=cursor)


def _number(session: Session, sql: str, *parameters: int) -> int | None:
    return cast("int | None", session.rows(sql, parameters)[0][0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _drop(session: Session, message_ids: Sequence[str]) -> None:
    ids = json_of(message_ids)
    session.change(_DROP_PAYLOADS, (ids,))
    session.change(FORGET_SENT_BODIES, (ids,))
