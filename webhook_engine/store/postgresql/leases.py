"""Leases in PostgreSQL, by the clock of its server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.store.members import LeaseState, Member
from webhook_engine.store.postgresql.connection import Session, quoted
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.own_line import OwnLine
from webhook_engine.store.postgresql.schema import LOCK

__all__ = ["PostgresqlLeases"]

TTL_S = 5.0
WITHIN_S = 4.0
"""Seconds; a later reply is of no use, because the lease is nearly over."""

_JOIN = """
INSERT INTO {schema}webhook_member (id, host, pid, version, started_at, expires_at, secrets)
VALUES ($1, $2, $3, $4, to_timestamp($5), clock_timestamp() + $6 * interval '1 second', $7::text::jsonb)
"""

# One statement, so that no engine can stop between its parts. Only a member with a row takes a shard, and the row is
# locked until the end, so that its lease cannot be ended meanwhile.
_RENEW = """
WITH renewed AS (
    UPDATE {schema}webhook_member
    SET expires_at = clock_timestamp() + $2 * interval '1 second', stored_below = greatest(stored_below, $4)
    WHERE id = $1
    RETURNING id
), taken AS (
    UPDATE {schema}webhook_shard AS shard SET member_id = renewed.id, generation = shard.generation + 1
    FROM renewed
    WHERE shard.number = ANY ($3::smallint[]) AND shard.member_id IS NULL
    RETURNING shard.number, shard.generation
)
SELECT
    EXISTS (SELECT 1 FROM renewed),
    (SELECT coalesce(array_agg(number), '{{}}') FROM taken),
    (SELECT coalesce(array_agg(generation), '{{}}') FROM taken),
    (SELECT coalesce(array_agg(number ORDER BY number), '{{}}') FROM {schema}webhook_shard WHERE member_id = $1),
    (SELECT coalesce(array_agg(generation ORDER BY number), '{{}}') FROM {schema}webhook_shard WHERE member_id = $1),
    (SELECT coalesce(array_agg(number), '{{}}') FROM {schema}webhook_shard WHERE member_id IS NULL),
    (SELECT coalesce(array_agg(id), '{{}}') FROM {schema}webhook_member WHERE expires_at > clock_timestamp()),
    (SELECT coalesce(array_agg(id), '{{}}') FROM {schema}webhook_member WHERE expires_at <= clock_timestamp()),
    (
        SELECT extract(epoch FROM min(expires_at) - clock_timestamp())::float8 FROM {schema}webhook_member
        WHERE expires_at > clock_timestamp() AND id <> $1
    )
"""

_GIVE_BACK = """
UPDATE {schema}webhook_shard SET member_id = NULL WHERE member_id = $1 AND number = ANY ($2::smallint[])
"""

_END = """
WITH ended AS (
    DELETE FROM {schema}webhook_member WHERE id = $1 AND ($2 OR expires_at <= clock_timestamp()) RETURNING id
), freed AS (
    UPDATE {schema}webhook_shard AS shard SET member_id = NULL FROM ended WHERE shard.member_id = ended.id
)
SELECT count(*) FROM ended
"""

_MEMBERS = """
SELECT
    id, host, pid, version, (extract(epoch FROM started_at) * 1000000)::bigint,
    extract(epoch FROM expires_at - clock_timestamp())::float8,
    (SELECT count(*) FROM {schema}webhook_shard WHERE member_id = member.id)
FROM {schema}webhook_member AS member
ORDER BY id
"""

# Of two members that join at once, the second sees the first.
_ONE_AT_A_TIME = f"SELECT pg_advisory_xact_lock({LOCK + 2}, hashtext(current_schema()))"
_DISAGREES = """
SELECT id FROM webhook_member
WHERE id <> $1 AND expires_at > clock_timestamp() AND secrets ? $2 AND secrets ->> $2 <> ALL ($3::text[])
ORDER BY id LIMIT 1
"""
_TELL = """
UPDATE webhook_member SET secrets = secrets || jsonb_build_object($2::text, $3::text) WHERE id = $1
"""

_STORED_BELOW = """
SELECT min(stored_below) FROM {schema}webhook_member WHERE id <> $1
"""


async def read_members(session: Session, qualified: Callable[[str], str]) -> Sequence[Member]:
    """All members, in the order in which they joined; ``qualified`` puts the schema into a statement."""
    return [
        Member(id=id_, host=host, pid=pid, version=version, started_at=started_at, lease_s=lease_s, shards=shards)
        for id_, host, pid, version, started_at, lease_s, shards in await session.rows(qualified(_MEMBERS))
    ]


class PostgresqlLeases:
    """See :class:`~webhook_engine.store.members.LeaseStore`."""

    ttl_s = TTL_S

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = OwnLine(database, WITHIN_S)
        self._told: dict[str, str] = {}
        """Fingerprints of secrets by setting, for the row of this engine's next membership."""
        schema = database.connector.schema
        # Behind a pooler, a search path does not outlive its transaction, and each statement here is one.
        prefix = "" if schema is None else f"{quoted(schema)}."
        self._sql: Callable[[str], str] = lambda statement: statement.format(schema=prefix)

    async def join(self, member: Member) -> None:
        """Become a member, without shards at first."""
        told = msgspec.json.encode(self._told).decode()
        row = (member.id, member.host, member.pid, member.version, member.started_at / 1_000_000, TTL_S, told)
        await self._line.run(lambda session: session.change(self._sql(_JOIN), *row))
        self._database.sharing.member_id = member.id

    async def renew(self, member_id: str, *, take: Collection[int] = (), stored_below: str = "") -> LeaseState | None:
        """Renew the lease, and take those of ``take`` that no member holds; ``None`` if the lease was lost."""
        sql = self._sql(_RENEW)
        found = await self._line.run(lambda session: session.row(sql, member_id, TTL_S, sorted(take), stored_below))
        renewed, taken, new_generations, held, generations, free, live, lapsed, next_lapse_s = found
        if not renewed:
            return None
        # The rest of the statement does not see the changes of its first parts.
        return LeaseState(
            held=dict(zip((*held, *taken), (*generations, *new_generations), strict=True)),
            free=frozenset(free) - frozenset(taken),
            live=frozenset(live) | {member_id},
            lapsed=frozenset(lapsed) - {member_id},
            next_lapse_s=next_lapse_s,
        )

    def sends_for(self, shards: frozenset[int]) -> None:
        """Set this engine's shards; the holders of other shards are notified of what is stored for them."""
        self._database.sharing.shards = shards

    async def give_back(self, member_id: str, shards: Collection[int]) -> None:
        """Give up these shards."""
        await self._line.run(lambda session: session.change(self._sql(_GIVE_BACK), member_id, sorted(shards)))

    async def bury(self, member_id: str) -> bool:
        """Free the shards of a member whose lease has expired; ``False`` if it has not, or if they are free already."""
        return await self._end(member_id, always=False)

    async def leave(self, member_id: str) -> None:
        """Leave, and give up all shards."""
        await self._end(member_id, always=True)

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()

    async def members(self) -> Sequence[Member]:
        """All members, in the order in which they joined."""
        return await self._database.read_with(lambda session: read_members(session, self._sql))

    async def agree(self, member_id: str, secret: SharedSecret) -> Member | None:
        """Register this member's secret, unless another member has a different one."""

        async def tell(session: Session) -> Member | None:
            await session.rows(_ONE_AT_A_TIME)
            other = await session.value(_DISAGREES, member_id, secret.setting, list(secret.accepted))
            if other is not None:
                return next(one for one in await read_members(session, self._sql) if one.id == other)
            await session.change(_TELL, member_id, secret.setting, secret.fingerprint)
            return None

        other = await self._database.write(tell)
        if other is None:
            self._told[secret.setting] = secret.fingerprint
        return other

    async def stored_below(self) -> str | None:
        """The lowest ``stored_below`` of the other members; ``None`` if there are none."""
        [(lowest,)] = await self._read(_STORED_BELOW, self._database.sharing.member_id or "")
        return None if lowest is None else str(lowest)

    async def _end(self, member_id: str, *, always: bool) -> bool:
        return bool(await self._line.run(lambda session: session.value(self._sql(_END), member_id, always)))

    async def _read(self, statement: str, *parameters: object) -> Sequence[tuple]:  # type: ignore[type-arg]
        async def read(session: Session) -> Sequence[tuple]:  # type: ignore[type-arg]
            return await session.rows(self._sql(statement), *parameters)

        return await self._database.read_with(read)
