"""Messages in SQLite."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import cast

from webhook_engine.model import Message
from webhook_engine.store import rows
from webhook_engine.store.records import (
    MAX_MERGED_EVENT_TYPES,
    AddressedMessage,
    Edge,
    MessageFilter,
    MessageSearch,
    NewMessage,
    Span,
)
from webhook_engine.store.spans import bounds, direction, edge_of
from webhook_engine.store.sqlite.batches import BatchStatement
from webhook_engine.store.sqlite.connection import Row, Session
from webhook_engine.store.sqlite.database import Database
from webhook_engine.store.sqlite.faults import is_taken
from webhook_engine.store.sqlite.filters import message_conditions
from webhook_engine.store.sqlite.kept_responses import keep_responses
from webhook_engine.store.sqlite.message_search import search
from webhook_engine.store.sqlite.order import add_in_order

__all__ = ["NewMessages", "SqliteMessages"]

_COLUMNS = rows.columns(rows.MESSAGE, "message")

_ADD_MESSAGES = BatchStatement(
    f"""
    INSERT INTO webhook_message ({rows.columns((*rows.MESSAGE, *rows.CONTENT))})
    SELECT * FROM {{batch}}
    """,
    width=len(rows.MESSAGE) + len(rows.CONTENT),
)

_ADD_DELIVERIES = BatchStatement(
    """
    INSERT INTO webhook_delivery (message_id, endpoint_id, status, due_at)
    SELECT column1, column2, 1, column3 FROM {batch}
    """,
    width=3,
)

_ADD_MANUAL_ATTEMPTS = BatchStatement(
    """
    INSERT INTO webhook_manual_attempt (endpoint_id, id, message_id)
    SELECT column1, column2, column2 FROM {batch}
    """,
    width=2,
)

_DELETE_OUTBOX_ROWS = """
DELETE FROM webhook_outbox WHERE id IN (SELECT value FROM json_each(?1))
"""

_TAKEN_IDS = """
SELECT id FROM webhook_message WHERE id IN (SELECT value FROM json_each(?1))
"""

_TAKEN_EVENT_IDS = """
SELECT application_id, event_id
FROM json_each(?1) AS wanted
CROSS JOIN webhook_message
WHERE application_id = wanted.value ->> 0 AND event_id = wanted.value ->> 1
"""

_GET = f"""
SELECT {_COLUMNS}, payload, content_type FROM webhook_message AS message WHERE id = ?2 AND application_id = ?1
UNION ALL
SELECT {_COLUMNS}, payload, content_type FROM webhook_message AS message INDEXED BY webhook_message_by_event_id
WHERE application_id = ?1 AND event_id = ?2
LIMIT 1
"""

_IDS = """
SELECT id FROM webhook_message INDEXED BY webhook_message_by_application
WHERE application_id = ?1 AND id > ?2 AND id < ?3
"""

_EVENT_TYPE = "SELECT event_type FROM webhook_message WHERE id = ?1"

_EXPUNGE = """
UPDATE webhook_message SET payload = NULL WHERE id IN (SELECT value FROM json_each(?))
"""

# The last element of an exchange is text only if it is the payload made by a transformation.
FORGET_SENT_BODIES = """
UPDATE webhook_attempt SET exchange = json_remove(exchange, '$[8]')
WHERE message_id IN (SELECT value FROM json_each(?)) AND exchange LIKE '%"]'
"""


class SqliteMessages:
    """See :class:`~webhook_engine.store.seam.MessageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
        """Store messages with their deliveries and responses; returns those that existed already."""
        if not batch:
            return ()
        return await self._database.write(NewMessages(batch).add)

    async def get(self, application_id: str, key: str) -> Message | None:
        """By id or event id."""
        found = await self._database.read(_GET, (application_id, key))
        return rows.message(found[0]) if found else None

    async def event_type(self, message_id: str) -> str | None:
        """The event type of the message with this id, without reading its payload."""
        found = await self._database.read(_EVENT_TYPE, (message_id,))
        return cast(str, found[0][0]) if found else None

    async def list(self, application_id: str, span: Span, where: MessageFilter) -> Sequence[Message]:
        """In the order of ids."""
        conditions, parameters = message_conditions(where.event_types, where.channel, where.tag)
        low, high = bounds(span)
        parameters |= {"application_id": application_id, "low": low, "high": high, "limit": span.limit}
        content = rows.content(where.with_content)
        select = f"SELECT {_COLUMNS}, {content} FROM webhook_message AS message INDEXED BY"
        within = f"message.application_id = :application_id AND message.id > :low AND message.id < :high {conditions}"
        types = where.event_types
        if types and len(types) <= MAX_MERGED_EVENT_TYPES:
            parameters |= {f"type_{number}": name for number, name in enumerate(dict.fromkeys(types))}
            ranges = [
                f"{select} webhook_message_by_event_type WHERE message.event_type = :type_{number} AND {within}"
                for number in range(len(set(types)))
            ]
        else:
            ranges = [f"{select} webhook_message_by_application WHERE {within}"]
        sql = f"{' UNION ALL '.join(ranges)} ORDER BY 1 {direction(span)} LIMIT :limit"
        return await self._database.read_span(sql, parameters, rows.message, span.max_bytes)

    async def edge(self, application_id: str, span: Span, count: int) -> Edge | None:
        """The edge after the first ``count`` elements of the span."""
        sql = f"{_IDS} ORDER BY id {direction(span)} LIMIT 2 OFFSET ?4"
        return edge_of(await self._database.read_long(sql, (application_id, *bounds(span), count - 1)))

    async def search(
        self, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
    ) -> tuple[Sequence[str], str | None]:
        """Ids of the newest messages that match, and the id of the last one examined."""
        return await self._database.read_long_with(
            lambda session: search(session, application_id, span, where, window, max_bytes)
        )

    async def expunge(self, *message_ids: str) -> None:
        """Delete the payloads."""
        ids = rows.json_of(message_ids)

        def change(session: Session) -> None:
            session.change(_EXPUNGE, (ids,))
            session.change(FORGET_SENT_BODIES, (ids,))

        await self._database.write(change)


class NewMessages:
    """A batch of messages, prepared on the caller's thread to be added in a transaction."""

    def __init__(self, batch: Sequence[AddressedMessage]) -> None:
        self._batch = batch
        self._outbox_ids = [addressed.outbox_id for addressed in batch if addressed.outbox_id is not None]
        self._prepared = _Prepared(batch)

    def add(self, session: Session) -> Sequence[AddressedMessage]:
        """Insert them; returns those that existed already."""
        refused: Sequence[AddressedMessage] = ()
        try:
            self._prepared.insert(session)
        except sqlite3.IntegrityError as error:
            # Duplicates are too rare to be worth a check first.
            if not is_taken(error):
                raise
            fresh, refused = self._sort_out(session)
            if not refused:
                raise
            _Prepared(fresh).insert(session)
        if self._outbox_ids:
            session.change(_DELETE_OUTBOX_ROWS, (rows.json_of(self._outbox_ids),))
        return refused

    def _sort_out(self, session: Session) -> tuple[list[AddressedMessage], list[AddressedMessage]]:
        """Messages to insert, and those whose id or event id is taken, also by an earlier one of the batch."""
        messages = [addressed.message for addressed in self._batch]
        event_ids = [[message.application_id, message.event_id] for message in messages if message.event_id is not None]
        taken: set[object] = {
            identifier for (identifier,) in session.rows(_TAKEN_IDS, (rows.json_of([one.id for one in messages]),))
        }
        taken.update(session.rows(_TAKEN_EVENT_IDS, (rows.json_of(event_ids),)))
        fresh, refused = [], []
        for addressed in self._batch:
            keys = _keys(addressed.message)
            if taken.isdisjoint(keys):
                taken.update(keys)
                fresh.append(addressed)
            else:
                refused.append(addressed)
        return fresh, refused


class _Prepared:
    """The rows that a batch consists of."""

    def __init__(self, batch: Sequence[AddressedMessage]) -> None:
        self._messages = [rows.message_row(addressed.message) for addressed in batch]
        self._deliveries: list[Row] = []
        self._ordered: list[tuple[str, str, str]] = []
        self._now = max((one.message.created_at for one in batch if one.ordered), default=0)
        self._manual_attempts: list[Row] = []
        self._responses = [addressed.response for addressed in batch if addressed.response is not None]
        for addressed in batch:
            message = addressed.message
            if addressed.manual_to is None:
                due_at = message.created_at if message.deliver_at is None else message.deliver_at
                ids: Sequence[str] = addressed.endpoint_ids
                if addressed.ordered:
                    key = message.ordering_key or ""
                    self._ordered.extend((message.id, endpoint_id, key) for endpoint_id in addressed.ordered)
                    ids = [endpoint_id for endpoint_id in ids if endpoint_id not in addressed.ordered]
                self._deliveries.extend((message.id, endpoint_id, due_at) for endpoint_id in ids)
            else:
                self._deliveries.append((message.id, addressed.manual_to, None))
                self._manual_attempts.append((addressed.manual_to, message.id))

    def insert(self, session: Session) -> None:
        _ADD_MESSAGES.run(session, self._messages)
        _ADD_DELIVERIES.run(session, self._deliveries)
        add_in_order(session, self._ordered, self._now)
        _ADD_MANUAL_ATTEMPTS.run(session, self._manual_attempts)
        keep_responses(session, self._responses)


def _keys(message: NewMessage) -> set[object]:
    keys: set[object] = {message.id}
    if message.event_id is not None:
        keys.add((message.application_id, message.event_id))
    return keys
