"""Notices to other engines that a transaction has to store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.members import Given, LateOutcomesError, Notice, RoutingChangedError
from webhook_engine.store.postgresql.connection import Session, Told
from webhook_engine.store.records import AddressedMessage

__all__ = ["check_member", "check_routing", "tell", "tell_of_deliveries"]

MOST_NAMED = 100
"""Messages that a notice names for one endpoint; if there are more, the lane reads them itself."""

_CHANGED = """
SELECT wanted.id
FROM unnest($1::text[], $2::bigint[]) AS wanted (id, revision)
LEFT JOIN webhook_application AS application ON application.id = wanted.id AND NOT application.deleted
WHERE application.revision IS DISTINCT FROM wanted.revision
UNION ALL
SELECT '' WHERE NOT EXISTS (SELECT 1 FROM webhook_member WHERE id = $3)
"""

_IS_MEMBER = """
SELECT pg_current_xact_id()::text FROM webhook_member WHERE id = $1
"""

_TELL = """
INSERT INTO webhook_notice (content) VALUES ($1) RETURNING xid, id
"""


async def check_routing(session: Session, batch: Sequence[AddressedMessage]) -> None:
    """Raises ``RoutingChangedError`` if an application was edited since messages of it were routed."""
    revisions = {one.message.application_id: one.revision for one in batch if one.revision is not None}
    if not revisions:
        return
    found = await session.rows(_CHANGED, list(revisions), list(revisions.values()), session.sharing.member_id)
    changed = [application_id for (application_id,) in found]
    if "" in changed:
        # Others count on it that a member that they buried stores nothing with the ids of that time.
        raise StoreUnavailableError("this engine has lost its lease, and is just about to get another; try again")
    if changed:
        raise RoutingChangedError(changed)


async def check_member(session: Session, member_id: str | None) -> None:
    """Raise ``LateOutcomesError`` if this member has lost its lease, and others may have repeated its attempts."""
    if member_id is None:
        return
    session.xid = await session.value(_IS_MEMBER, member_id)
    if session.xid is None:
        raise LateOutcomesError(member_id)


async def tell(session: Session, notice: Notice) -> None:
    """Store a notice for the other engines with the transaction; they hear of it when that is committed."""
    content = msgspec.json.encode(notice).decode()
    xid, identifier = await session.row(_TELL, content)
    session.told.append(Told(xid, identifier, content))
    session.xid = str(xid)


async def tell_of_deliveries(session: Session, batch: Sequence[AddressedMessage]) -> None:
    """Leave a notice for those who hold endpoints that messages of the batch go to."""
    shards = session.sharing.shards
    at_once: dict[tuple[str, int], tuple[int, list[str]]] = {}
    later: dict[tuple[str, int], int] = {}
    keys: dict[tuple[str, int], list[str]] = {}
    for one in batch:
        message = one.message
        due_at = message.created_at if message.deliver_at is None else message.deliver_at
        for endpoint_id, shard in zip(one.endpoint_ids, one.shards or (), strict=False):
            if shard in shards:
                continue
            key = (endpoint_id, shard)
            if message.deliver_at is None and one.manual_to is None and endpoint_id not in one.ordered:
                at_once.setdefault(key, (due_at, []))[1].append(message.id)
            else:
                later[key] = min(later.get(key, due_at), due_at)
            if endpoint_id in one.ordered:
                keys.setdefault(key, []).append(message.ordering_key or "")
    if at_once or later:
        given = [Given(*key, due_at, order_keys=_named(keys.get(key, ()))) for key, due_at in later.items()]
        given += [Given(*key, due_at, ids if len(ids) <= MOST_NAMED else ()) for key, (due_at, ids) in at_once.items()]
        await tell(session, Notice(deliveries=given))


def _named(order_keys: Sequence[str]) -> Sequence[str] | None:
    return order_keys if len(order_keys) <= MOST_NAMED else None
