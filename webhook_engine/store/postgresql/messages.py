"""Messages in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from webhook_engine.errors import StoreError
from webhook_engine.model import Message
from webhook_engine.store import rows
from webhook_engine.store.postgresql.batches import arrays, unnest
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import Parameters, message_conditions
from webhook_engine.store.postgresql.kept_responses import keep_responses
from webhook_engine.store.postgresql.message_search import search
from webhook_engine.store.postgresql.order import add_in_order, lock_order
from webhook_engine.store.postgresql.sharding import HOLD_SHARDS, adding
from webhook_engine.store.postgresql.sharing import check_routing, tell_of_deliveries
from webhook_engine.store.records import (
    MAX_MERGED_EVENT_TYPES,
    AddressedMessage,
    Edge,
    MessageFilter,
    MessageSearch,
    Span,
)
from webhook_engine.store.spans import bounds, direction, edge_of

__all__ = ["NewMessages", "PostgresqlMessages"]

_COLUMNS = rows.columns(rows.MESSAGE, "message")
_STORED = (*rows.MESSAGE, *rows.CONTENT)
_TYPES = {"deliver_at": "bigint", "created_at": "bigint", "payload_expires_at": "bigint", "payload": "bytea"}
_STORED_TYPES = [_TYPES.get(name, "text") for name in _STORED]
_WIDTH = len(_STORED)

# Another engine has relayed an outbox row that is gone. Returns the messages that were not added.
_ADD_MESSAGES = f"""
WITH given AS (
    SELECT * FROM {unnest((*_STORED_TYPES, "bigint"))} AS given ({rows.columns(_STORED)}, outbox_id)
),
moved AS (
    DELETE FROM webhook_outbox WHERE id = ANY(${_WIDTH + 1}::bigint[]) RETURNING id
),
added AS (
    INSERT INTO webhook_message ({rows.columns(_STORED)})
    SELECT {rows.columns(_STORED)} FROM given
    WHERE outbox_id IS NULL OR outbox_id IN (SELECT id FROM moved)
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT id FROM given EXCEPT ALL SELECT id FROM added
"""

_ADD_DELIVERIES = f"""
INSERT INTO webhook_delivery (message_id, endpoint_id, shard, status, due_at)
SELECT given.message_id, endpoint.id, endpoint.shard, 1, given.due_at
FROM {unnest(("text", "text", "bigint"))} AS given (message_id, endpoint_id, due_at)
JOIN webhook_endpoint AS endpoint ON endpoint.id = given.endpoint_id
"""

_ADD_MANUAL_ATTEMPTS = f"""
INSERT INTO webhook_manual_attempt (endpoint_id, id, message_id, shard)
SELECT endpoint.id, given.id, given.id, endpoint.shard
FROM {unnest(("text", "text"))} AS given (endpoint_id, id)
JOIN webhook_endpoint AS endpoint ON endpoint.id = given.endpoint_id
"""

_GET = f"""
SELECT {_COLUMNS}, payload, content_type FROM webhook_message AS message WHERE id = $2 AND application_id = $1
UNION ALL
SELECT {_COLUMNS}, payload, content_type FROM webhook_message AS message WHERE application_id = $1 AND event_id = $2
LIMIT 1
"""

_IDS = "SELECT id FROM webhook_message WHERE application_id = $1 AND id > $2 AND id < $3"
_EVENT_TYPE = "SELECT event_type FROM webhook_message WHERE id = $1"

_EXPUNGE = """
UPDATE webhook_message SET payload = NULL WHERE id = ANY($1::text[])
"""

# The last element of an exchange is text only if it is the payload made by a transformation.
FORGET_SENT_BODIES = r"""
UPDATE webhook_attempt SET exchange = regexp_replace(exchange, ',"(?:[^"\\]|\\.)*"\]$', ']')
WHERE message_id = ANY($1::text[]) AND exchange LIKE '%"]'
"""


class PostgresqlMessages:
    """See :class:`~webhook_engine.store.seam.MessageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, batch: Sequence[AddressedMessage]) -> Sequence[AddressedMessage]:
        """Store messages with their deliveries and responses; returns those that existed already."""
        if not batch:
            return ()
        add = partial(NewMessages(batch).add, shards_held=True)
        return await self._database.write(add, begin=HOLD_SHARDS)

    async def get(self, application_id: str, key: str) -> Message | None:
        """By id or event id."""
        found = await self._database.read(_GET, application_id, key)
        return rows.message(found[0]) if found else None

    async def event_type(self, message_id: str) -> str | None:
        """The event type of the message with this id, without reading its payload."""
        found = await self._database.read(_EVENT_TYPE, message_id)
        return found[0][0] if found else None

    async def list(self, application_id: str, span: Span, where: MessageFilter) -> Sequence[Message]:
        """In the order of ids."""
        parameters = Parameters(application_id, *bounds(span), span.limit)
        conditions = message_conditions(parameters, where.event_types, where.channel, where.tag)
        select = f"SELECT {_COLUMNS}, {rows.content(where.with_content)} FROM webhook_message AS message WHERE"
        within = f"message.application_id = $1 AND message.id > $2 AND message.id < $3 {conditions}"
        types = where.event_types
        if types and len(types) <= MAX_MERGED_EVENT_TYPES:
            ranges = [
                f"({select} message.event_type = {parameters.add(name)} AND {within}"
                f" ORDER BY message.id {direction(span)} LIMIT $4)"
                for name in dict.fromkeys(types)
            ]
        else:
            ranges = [f"{select} {within}"]
        sql = f"SELECT * FROM ({' UNION ALL '.join(ranges)}) AS merged ORDER BY id {direction(span)} LIMIT $4"
        return await self._database.read_span(sql, parameters.values, rows.message, span.max_bytes)

    async def edge(self, application_id: str, span: Span, count: int) -> Edge | None:
        """The edge after the first ``count`` elements of the span."""
        sql = f"{_IDS} ORDER BY id {direction(span)} LIMIT 2 OFFSET $4"
        return edge_of(await self._database.read_long(sql, application_id, *bounds(span), count - 1))

    async def search(
        self, application_id: str, span: Span, where: MessageSearch, window: int, max_bytes: int
    ) -> tuple[Sequence[str], str | None]:
        """Ids of the newest messages that match, and the id of the last one examined."""
        return await self._database.read_long_with(
            lambda session: search(session, application_id, span, where, window, max_bytes)
        )

    async def expunge(self, *message_ids: str) -> None:
        """Delete the payloads."""
        ids = list(message_ids)

        async def change(session: Session) -> None:
            await session.change(_EXPUNGE, ids)
            await session.change(FORGET_SENT_BODIES, ids)

        await self._database.write(change)


class NewMessages:
    """A batch of messages, prepared to be added in a transaction."""

    def __init__(self, batch: Sequence[AddressedMessage]) -> None:
        self._batch = batch
        self._messages = arrays(
            [(*rows.message_row(addressed.message), addressed.outbox_id) for addressed in batch], len(_STORED) + 1
        )
        self.ordered = {endpoint_id for addressed in batch for endpoint_id in addressed.ordered}
        """The endpoints whose orders get new deliveries."""

    async def add(self, session: Session, *, shards_held: bool = False) -> Sequence[AddressedMessage]:
        """Insert them; returns those that existed already.

        ``shards_held``: the transaction has begun with :data:`HOLD_SHARDS`.
        """
        if not self._batch:
            return ()
        if not shards_held:
            await adding(session)
        await lock_order(session, self.ordered)
        await check_routing(session, self._batch)
        taken = Counter(message_id for (message_id,) in await session.rows(_ADD_MESSAGES, *self._messages))
        if not taken:
            await _add_what_goes_with(session, self._batch)
            return ()
        fresh: list[AddressedMessage] = []
        refused: list[AddressedMessage] = []
        # Of several with the same id, the first was added.
        for addressed in reversed(self._batch):
            identifier = addressed.message.id
            if taken[identifier]:
                taken[identifier] -= 1
                refused.append(addressed)
            else:
                fresh.append(addressed)
        await _add_what_goes_with(session, fresh[::-1])
        return refused[::-1]


async def _add_what_goes_with(session: Session, batch: Sequence[AddressedMessage]) -> None:
    """Insert deliveries, manual attempts and responses of messages that are stored."""
    await tell_of_deliveries(session, batch)
    deliveries: list[rows.Row] = []
    ordered: list[tuple[str, str, str]] = []
    manual_attempts: list[rows.Row] = []
    for addressed in batch:
        message = addressed.message
        if addressed.manual_to is None:
            due_at = message.created_at if message.deliver_at is None else message.deliver_at
            ids: Sequence[str] = addressed.endpoint_ids
            if addressed.ordered:
                key = message.ordering_key or ""
                ordered.extend((message.id, endpoint_id, key) for endpoint_id in addressed.ordered)
                ids = [endpoint_id for endpoint_id in ids if endpoint_id not in addressed.ordered]
            deliveries.extend((message.id, endpoint_id, due_at) for endpoint_id in ids)
        else:
            deliveries.append((message.id, addressed.manual_to, None))
            manual_attempts.append((addressed.manual_to, message.id))
    added = await session.change(_ADD_DELIVERIES, *arrays(deliveries, 3)) if deliveries else 0
    if ordered:
        now = max(addressed.message.created_at for addressed in batch if addressed.ordered)
        added += await add_in_order(session, ordered, now)
    if added < len(deliveries) + len(ordered):
        raise StoreError("a message was to go to an endpoint that is not there; nothing of the change was kept")
    if manual_attempts:
        await session.change(_ADD_MANUAL_ATTEMPTS, *arrays(manual_attempts, 2))
    responses = [addressed.response for addressed in batch if addressed.response is not None]
    if responses:
        await keep_responses(session, responses)
