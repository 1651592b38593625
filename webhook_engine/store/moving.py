"""Moving everything from one database to another: what is moved, in which order, and how it is checked.

Rows go over in the order of their keys, a batch to a transaction. So the rows that are there after an interruption are
the first ones, and the rest can follow. Until all of it is there and checked, no engine starts on the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from webhook_engine.errors import StoreError

__all__ = [
    "BATCH_BYTES",
    "BATCH_ROWS",
    "NOTHING",
    "NOT_COMPARED",
    "SEPARATOR",
    "TABLES",
    "Batch",
    "Moved",
    "Occupancy",
    "Source",
    "Sums",
    "Target",
    "move",
]

TABLES = (
    "application",
    "endpoint",
    "event_type",
    "message",
    "delivery",
    "manual_attempt",
    "attempt",
    "task",
    "audit",
    "revocation",
    "portal_link",
    "kept_response",
    "play_inbox",
    "play_request",
    "position",
    "clock",
    "outbox",
)
"""Everything that is kept, by its name without the prefix; what refers to another comes after it."""

BATCH_ROWS = 5_000
BATCH_BYTES = 8 * 1024 * 1024
"""A batch has about so much at most, or one row that is larger."""

SEPARATOR = "\x1f"
"""Stands between the columns of a row where its digest is made: texts as they are, numbers in decimal, bytes as their
hexadecimal SHA-256, and :data:`NOTHING` for what is not there."""
NOTHING = "\x1e"
NOT_COMPARED = {"outbox": ("created_at", "failed_at")}
"""Columns by table that are a text in one database and an instant in the other; they are for people only."""

Batch: TypeAlias = Sequence[Sequence[object]]


class Sums(msgspec.Struct, frozen=True):
    """What a table holds, so that it can be compared."""

    rows: int
    digests: int
    """The sum of the first four bytes of each row's SHA-256, which is made as :data:`SEPARATOR` says."""


class Occupancy(msgspec.Struct, frozen=True):
    """What is in the target before anything is done to it."""

    tables: Sequence[str] = ()
    """Those that hold rows."""
    members: int = 0
    """How many engines run on it."""
    interrupted: bool = False
    """Whether all that it holds comes from a copy that was not finished."""


class Moved(msgspec.Struct, frozen=True):
    """What was done, or would be."""

    rows: Mapping[str, int]
    """How many rows each table has."""
    already: Mapping[str, int]
    """How many of them were there from an earlier time."""


class Source(Protocol):
    """A database that is read, as it was at one moment."""

    @property
    def name(self) -> str:
        """It, as people are told."""
        ...

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""
        ...

    def sums(self, table: str) -> Sums:
        """What a table holds."""
        ...

    def batches(self, table: str, after: int) -> Iterator[Batch]:
        """The rows of a table in the order of their keys, without the first ``after``."""
        ...

    def require_still(self) -> None:
        """Raises ``StoreError`` if somebody has written to it meanwhile."""
        ...


class Target(Protocol):
    """A database that is filled."""

    @property
    def name(self) -> str:
        """It, as people are told."""
        ...

    async def occupancy(self) -> Occupancy:
        """What it holds; nothing is changed."""
        ...

    async def begin(self, origin: str) -> bool:
        """Keep engines off until :meth:`finish`; whether what it holds comes from the same ``origin``.

        What an interrupted copy of anything else has left is removed.
        """
        ...

    async def add(self, table: str, columns: Sequence[str], batch: Batch) -> None:
        """Add rows to a table, all or none; durable when this returns."""
        ...

    async def sums(self, table: str, columns: Sequence[str]) -> Sums:
        """What a table holds."""
        ...

    async def finish(self) -> None:
        """Let engines start on it."""
        ...


Told: TypeAlias = Callable[[str, int, int], None]


async def move(source: Source, target: Target, told: Told, *, dry_run: bool = False) -> Moved:
    """Bring everything from ``source`` to ``target``, or what is missing of it, and check it.

    ``told`` is called with a table, how many of its rows are there by now, and how many it has. Raises ``StoreError``
    if the target holds anything else, or if it holds something else than the source at the end.
    """
    there = await target.occupancy()
    sums = {table: source.sums(table) for table in TABLES}
    rows = {table: sums[table].rows for table in TABLES}
    if there.members:
        raise StoreError(f"{target.name}: {_engines(there.members)} on it; stop what runs there, and try again")
    if there.tables and not there.interrupted:
        if await _differences(source, target, sums):
            raise StoreError(
                f"{target.name} holds other data ({', '.join(f'webhook_{table}' for table in there.tables)}); copy "
                "into an empty database, or into another schema of it (--schema)"
            )
        return Moved(rows, rows)
    if dry_run:
        return Moved(rows, {table: (await target.sums(table, source.columns(table))).rows for table in TABLES})
    origin = msgspec.json.encode(sums, order="deterministic").decode()
    goes_on = await target.begin(origin)
    already: dict[str, int] = {}
    for table in TABLES:
        columns = source.columns(table)
        done = already[table] = (await target.sums(table, columns)).rows if goes_on else 0
        told(table, done, rows[table])
        for batch in source.batches(table, done):
            await target.add(table, columns, batch)
            done += len(batch)
            told(table, done, rows[table])
    source.require_still()
    if wrong := await _differences(source, target, sums):
        raise StoreError(
            f"{target.name} does not hold what {source.name} does ({'; '.join(wrong)}); somebody else has written to "
            "it: see that nothing does, remove the tables there, and try again"
        )
    await target.finish()
    return Moved(rows, already)


async def _differences(source: Source, target: Target, expected: Mapping[str, Sums]) -> list[str]:
    found = []
    for table in TABLES:
        sums = await target.sums(table, source.columns(table))
        if sums == expected[table]:
            continue
        if sums.rows != expected[table].rows:
            found.append(f"webhook_{table} has {sums.rows} rows and not {expected[table].rows}")
        else:
            found.append(f"rows of webhook_{table} have other values")
    return found


def _engines(count: int) -> str:
    return "an engine runs" if count == 1 else f"{count} engines run"
