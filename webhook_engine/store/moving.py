"""Moving all data from one database to another: the tables, their order, and the check.

Rows are copied in the order of their keys, one batch per transaction. So after an interruption the first rows are
there, and the copy can continue. Until all of it is copied and checked, no engine starts on the target.
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
"""All tables, by name without the prefix; a table comes after those that it refers to."""

BATCH_ROWS = 5_000
BATCH_BYTES = 8 * 1024 * 1024
"""Approximate maximum size of a batch; a single row may be larger."""

SEPARATOR = "\x1f"
"""Separates the columns of a row in its digest: texts as they are, numbers in decimal, bytes as their hexadecimal
SHA-256, and :data:`NOTHING` for NULL."""
NOTHING = "\x1e"
NOT_COMPARED = {"outbox": ("created_at", "failed_at")}
"""Columns by table that are text in one database and a timestamp in the other; they are informative only."""

Batch: TypeAlias = Sequence[Sequence[object]]


class Sums(msgspec.Struct, frozen=True):
    """Checksums of a table, for comparison."""

    rows: int
    digests: int
    """The sum of the first four bytes of each row's SHA-256, computed as :data:`SEPARATOR` says."""


class Occupancy(msgspec.Struct, frozen=True):
    """What the target holds at the beginning."""

    tables: Sequence[str] = ()
    """The tables that have rows."""
    members: int = 0
    """The number of engines that run on it."""
    interrupted: bool = False
    """Whether all its rows come from an unfinished copy."""


class Moved(msgspec.Struct, frozen=True):
    """The result of a move, or of a dry run."""

    rows: Mapping[str, int]
    """The number of rows by table."""
    already: Mapping[str, int]
    """The number of rows by table that an earlier, interrupted run had copied."""


class Source(Protocol):
    """A database to read, as a consistent snapshot."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    def columns(self, table: str) -> Sequence[str]:
        """The columns of a table."""
        ...

    def sums(self, table: str) -> Sums:
        """The checksums of a table."""
        ...

    def batches(self, table: str, after: int) -> Iterator[Batch]:
        """The rows of a table in the order of their keys, without the first ``after``."""
        ...

    def require_still(self) -> None:
        """Raise ``StoreError`` if the database was written to meanwhile."""
        ...


class Target(Protocol):
    """A database to fill."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    async def occupancy(self) -> Occupancy:
        """What it holds; changes nothing."""
        ...

    async def begin(self, origin: str) -> bool:
        """Lock engines out until :meth:`finish`; returns whether its rows come from the same ``origin``.

        The rows of an interrupted copy from another origin are deleted.
        """
        ...

    async def add(self, table: str, columns: Sequence[str], batch: Batch) -> None:
        """Add rows to a table, all or none; durable when this returns."""
        ...

    async def sums(self, table: str, columns: Sequence[str]) -> Sums:
        """The checksums of a table."""
        ...

    async def finish(self) -> None:
        """Allow engines to start on it."""
        ...


Told: TypeAlias = Callable[[str, int, int], None]


async def move(source: Source, target: Target, told: Told, *, dry_run: bool = False) -> Moved:
    """Copy everything from ``source`` to ``target``, or what is missing, and check it.

    ``told`` is called with a table, the number of its rows copied so far, and their total. Raises ``StoreError``
    if the target holds other data, or differs from the source at the end.
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
