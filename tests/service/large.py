"""A database such as a busy engine has after months, made within seconds: the rows are written past the engine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engines import local_engine

from webhook_engine.ids import id_bounds

KEPT = timedelta(days=100)
"""How far back the messages go; more than retention keeps, so that it finds something to do."""
SMALL_APPLICATIONS = 200
"""Applications with one endpoint each, among which half of the messages are shared out."""
BLOCKS = 100
"""The messages of a block are made at once, and as if in the same instant."""
PENDING_SHARE = 0.005
"""Of the deliveries, the newest: they are due in some hours. Event ids are counted from the newest message."""

# What differs between messages hangs on their number, which the last nine digits of their ids are.
_MESSAGES = """
WITH RECURSIVE made (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM made WHERE n + 1 < :first + :count)
INSERT INTO webhook_message (id, application_id, event_type, event_id, tags, created_at, payload)
SELECT
    printf('%s%09d', :head, n),
    CASE WHEN n % 2 THEN (SELECT id FROM webhook_application WHERE uid = 'acme') ELSE small.id END,
    CASE n / 3 % 4 WHEN 0 THEN 'user.created' WHEN 1 THEN 'invoice.lost' ELSE 'invoice.paid' END,
    CASE WHEN n % 10 = 1 THEN 'event-' || (:messages - n) END,
    CASE WHEN n % 10 = 1 THEN '["tenth"]' END,
    :at + n,
    CAST(printf('{"number":%d,"text":"%.300c"}', n, 'x') AS BLOB)
FROM made JOIN small ON small.number = n / 2 % (SELECT count(*) FROM small)
"""
_DELIVERIES = """
INSERT INTO webhook_delivery (message_id, endpoint_id, status, due_at, step, attempt_count, attempted, settled_at)
SELECT
    message.id,
    endpoint.id,
    CASE WHEN message.n >= :pending_from THEN 1 WHEN message.n % 50 IN (6, 7) THEN 2 ELSE 0 END,
    CASE WHEN message.n >= :pending_from THEN :due_at + message.n END,
    message.n < :pending_from,
    message.n < :pending_from,
    message.n < :pending_from,
    CASE WHEN message.n < :pending_from THEN :at + 1000000 + message.n END
FROM (
    SELECT id, application_id, CAST(substr(id, -9) AS INTEGER) AS n FROM webhook_message WHERE id >= :head
) AS message
CROSS JOIN webhook_endpoint AS endpoint ON endpoint.application_id = message.application_id AND endpoint.deleted = 0
"""
_ATTEMPTS = """
INSERT INTO webhook_attempt
    (message_id, id, endpoint_id, status, status_code, duration_ms, trigger, url, request_headers, response)
SELECT
    message_id,
    printf('%s%09d', :attempt_head, row_number() OVER (ORDER BY message_id, endpoint_id)),
    endpoint_id,
    status,
    CASE status WHEN 0 THEN 200 ELSE 500 END,
    40,
    0,
    'https://example.com/webhooks',
    printf('{"user-agent":"Webhook-Engine","webhook-id":"%s"}', message_id),
    CAST(printf('%.100c', 'x') AS BLOB)
FROM webhook_delivery WHERE message_id >= :head AND status <> 1
ORDER BY message_id, endpoint_id
"""


async def fill(path: Path, messages: int, url: str) -> None:
    """Half of the messages are of application ``acme``, each for its endpoints ``main`` and ``other``."""
    async with local_engine(path) as engine:
        for number in range(SMALL_APPLICATIONS):
            await engine.applications.create(name="Small", uid=f"small-{number}")
            await engine.endpoints.create(f"small-{number}", url=url)
        await engine.applications.create(name="Acme", uid="acme")
        for uid in ("main", "other"):
            await engine.endpoints.create("acme", url=url, uid=uid)
        for name in ("invoice.paid", "invoice.lost", "user.created"):
            await engine.event_types.create(name=name)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute(
            "CREATE TEMP TABLE small AS SELECT row_number() OVER (ORDER BY id) - 1 AS number, id"
            " FROM webhook_application WHERE uid <> 'acme'"
        )
        indexes = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            " AND tbl_name IN ('webhook_message', 'webhook_delivery', 'webhook_attempt')"
        ).fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        end = int(datetime.now(UTC).timestamp() * 1_000_000) - 60_000_000
        block = messages // BLOCKS
        for first in range(0, messages, block):
            at = end - KEPT // timedelta(microseconds=1) * (messages - first - block) // messages
            values = {
                "first": first,
                "messages": messages,
                "count": block,
                "at": at,
                "head": id_bounds("msg_", at)[0][:-9],
                "attempt_head": id_bounds("atmpt_", at + 1_000_000)[0][:-9],
                "pending_from": int(messages * (1 - PENDING_SHARE)),
                "due_at": end + 4 * 3_600_000_000,
            }
            for sql in (_MESSAGES, _DELIVERIES, _ATTEMPTS):
                db.execute(sql, values)
        for _, sql in indexes:
            db.execute(sql)
        db.execute("PRAGMA journal_mode=WAL")
