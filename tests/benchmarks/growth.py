"""Whether lists, statistics, retention and start are as quick with many messages as with few.

    python tests/benchmarks/growth.py [--on sqlite] [--messages 10000000] [--few 100000]

Makes two databases below /tmp, deleted at the end (they need about 3 KiB for each message; on PostgreSQL two schemas on
a server of their own): one with many messages over the last 60 days, and one with those of the last days at the same
rate; each message with a delivery, and with an attempt unless that is still to come. Half of all belongs to one
application with four endpoints, the rest to 99 with one each. Then it asks both in turns, so that whatever else the
machine does concerns both, and prints the 95th percentile of each. Exits 1 if that is more than 1.5 times as long with
many, and more than 2 ms longer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["WEBHOOK_ENGINE_TEST_SERVERS"] = "1"

from database_servers import postgresql

from webhook_engine import Config, Engine
from webhook_engine.ids import id_bounds
from webhook_engine.model import AttemptStatus

DAYS = 60
SLOTS = 200_000
"""Instants over the whole time that messages are made at."""
OTHERS = 99
PLACES = 2 * OTHERS * 4
BYTES_EACH = 3 * 1024
FILLED = ("webhook_message", "webhook_delivery", "webhook_attempt")
CHUNK = 500_000
ASKED = 120
ALLOWED, TOLERATED_S = 1.5, 0.002

# What both databases understand; where they differ there is a name, of those in the two tables below.
MESSAGES = """
INSERT INTO webhook_message (id, application_id, event_type, created_at, payload)
SELECT 'msg_' || slot.head || {twelve_digits}, place.app, 'kind.' || n % 20, slot.at, {payload}
FROM {numbers} JOIN place ON place.number = n % {places} JOIN slot ON slot.number = n * {slots} / {all}
"""

DELIVERIES = """
INSERT INTO webhook_delivery
    (message_id, endpoint_id, {shard} status, due_at, step, attempt_count, attempted, settled_at)
SELECT 'msg_' || slot.head || {twelve_digits}, place.endpoint, {shard}
    CASE WHEN n % 101 < 97 THEN 0 WHEN n % 101 < 100 OR n < {pending} THEN 2 ELSE 1 END,
    CASE WHEN n % 101 = 100 AND n >= {pending} THEN {due} + n END, 1,
    CASE WHEN n % 101 = 100 AND n >= {pending} THEN 0 ELSE 1 END, n % 101 < 100 OR n < {pending},
    CASE WHEN n % 101 < 100 OR n < {pending} THEN slot.at + 1000000 END
FROM {numbers} JOIN place ON place.number = n % {places} JOIN slot ON slot.number = n * {slots} / {all}
"""

ATTEMPTS = """
INSERT INTO webhook_attempt
    (message_id, id, endpoint_id, status, status_code, duration_ms, trigger, url, request_headers, response)
SELECT 'msg_' || slot.head || {twelve_digits}, 'atmpt_' || slot.head || {twelve_digits}, place.endpoint,
    CASE WHEN n % 101 < 97 THEN 0 ELSE 2 END, CASE WHEN n % 101 < 97 THEN 200 ELSE 500 END, n % 300, 0,
    'https://example.com/hook', '{{"webhook-id":"msg"}}', {response}
FROM {numbers} JOIN place ON place.number = n % {places} JOIN slot ON slot.number = n * {slots} / {all}
WHERE n % 101 < 100 OR n < {pending}
"""

IN_POSTGRESQL = {
    "twelve_digits": "lpad(n::text, 12, '0')",
    "payload": "convert_to(json_build_object('number', n, 'text', repeat(md5(n::text), 5))::text, 'UTF8')",
    "response": "'ok'",
    "shard": "shard,",
    "numbers": "generate_series({first}::bigint, {last}::bigint) AS n",
}
IN_SQLITE = {
    "twelve_digits": "printf('%012d', n)",
    "payload": """CAST(printf('{{"number":%d,"text":"%s"}}', n, hex(randomblob(80))) AS BLOB)""",
    "response": "CAST('ok' AS BLOB)",
    "shard": "",
    "numbers": """(
        WITH RECURSIVE number (n) AS (VALUES ({first}) UNION ALL SELECT n + 1 FROM number WHERE n < {last})
        SELECT n FROM number
    ) AS number""",
}


class Database:
    """One with so many of the last of ``in_all`` messages."""

    def __init__(self, url: str, messages: int, in_all: int, **settings: str) -> None:
        self.url, self.settings = url, settings
        self.messages, self.in_all = messages, in_all
        self.engine = self.make_engine()
        self.big: list[str] = []

    def make_engine(self) -> Engine:
        return Engine(
            Config.for_database(
                self.url,
                security__main_secret="m" * 40,
                auth__jwt_secret="j" * 40,
                retention__payload="365d",
                retention__attempts="365d",
                **self.settings,
            )
        )

    async def fill(self) -> None:
        places = []
        async with self.make_engine() as engine:
            await engine.applications.create(name="Big", uid="big")
            for number in range(4):
                url = f"https://example.com/{number}"
                self.big.append((await engine.endpoints.create("big", url=url)).id)
            others = []
            for number in range(OTHERS):
                await engine.applications.create(name=f"Other {number}", uid=f"other-{number}")
                others.append((await engine.endpoints.create(f"other-{number}", url="https://example.com")).id)
            for number in range(PLACES):
                chosen = self.big[number // 2 % 4] if number % 2 else others[number // 2 % OTHERS]
                places.append((number, chosen))
        now = int(time.time() * 1_000_000)
        began = now - DAYS * 86_400 * 1_000_000
        slots = []
        for slot in range(SLOTS):
            at = began + (now - began) * slot // SLOTS
            slots.append((slot, id_bounds("", at)[0][:15], at))
        values = {"places": PLACES, "slots": SLOTS, "all": self.in_all, "due": now + 86_400 * 1_000_000}
        # As many are still to come in both, so that what grows is the past.
        values["pending"] = self.in_all - min(100_000, self.messages)
        await asyncio.to_thread(self.write, places, slots, values)

    def write(self, places: list[tuple[int, str]], slots: list[tuple[int, str, int]], values: dict[str, int]) -> None:
        """Fill it, with no index in the way."""
        raise NotImplementedError

    def statements(self, names: dict[str, str], values: dict[str, int]) -> Iterator[str]:
        """What fills the three tables, part by part."""
        for first in range(self.in_all - self.messages, self.in_all, CHUNK):
            part = {**values, "first": first, "last": min(first + CHUNK, self.in_all) - 1}
            here = {name: text.format(**part) for name, text in names.items()}
            for statement in (MESSAGES, DELIVERIES, ATTEMPTS):
                yield statement.format(**here, **part)

    def size_bytes(self) -> int:
        """What it takes on the disk."""
        raise NotImplementedError

    async def start(self) -> float:
        began = time.perf_counter()
        await self.engine.start()
        return time.perf_counter() - began

    async def restart(self) -> float:
        await self.engine.stop()
        self.engine = self.make_engine()
        return await self.start()


class InPostgresql(Database):
    """A schema."""

    def __init__(self, url: str, schema: str, messages: int, in_all: int) -> None:
        super().__init__(url, messages, in_all, store__schema=schema)
        self.schema = schema

    def write(self, places: list[tuple[int, str]], slots: list[tuple[int, str, int]], values: dict[str, int]) -> None:
        with psycopg.connect(self.url, autocommit=True, options=f"-c search_path={self.schema}") as connection:
            connection.execute("SET synchronous_commit = off")
            connection.execute("SET maintenance_work_mem = '1GB'")
            connection.execute(
                "CREATE UNLOGGED TABLE place (number int PRIMARY KEY, app text, endpoint text, shard smallint)"
            )
            connection.execute("CREATE UNLOGGED TABLE slot (number int PRIMARY KEY, head text, at bigint)")
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO place SELECT %s, application_id, id, shard FROM webhook_endpoint WHERE id = %s", places
                )
                with cursor.copy("COPY slot FROM STDIN") as copy:
                    for slot in slots:
                        copy.write_row(slot)
            indexes = connection.execute(
                "SELECT indexdef, indexname FROM pg_indexes WHERE schemaname = %s AND tablename = ANY(%s)"
                " AND indexname NOT LIKE '%%_pkey'",
                (self.schema, list(FILLED)),
            ).fetchall()
            for _, name in indexes:
                connection.execute(f"DROP INDEX {name}")
            for statement in self.statements(IN_POSTGRESQL, values):
                connection.execute(statement)  # type: ignore[call-overload]
            for definition, _ in indexes:
                connection.execute(definition)
            connection.execute("DROP TABLE place, slot")
            for table in FILLED:
                connection.execute(f"VACUUM ANALYZE {table}")

    def size_bytes(self) -> int:
        with psycopg.connect(self.url) as connection:
            [size] = connection.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
                " WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
                (self.schema,),
            ).fetchone()  # type: ignore[misc]
        return int(size)


class InSqlite(Database):
    """A file."""

    def __init__(self, path: Path, messages: int, in_all: int) -> None:
        super().__init__(f"sqlite:///{path}", messages, in_all)
        self.path = path

    def write(self, places: list[tuple[int, str]], slots: list[tuple[int, str, int]], values: dict[str, int]) -> None:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -1000000")
            connection.execute("CREATE TEMP TABLE place (number INTEGER PRIMARY KEY, app TEXT, endpoint TEXT)")
            connection.execute("CREATE TEMP TABLE slot (number INTEGER PRIMARY KEY, head TEXT, at INTEGER)")
            connection.executemany(
                "INSERT INTO place SELECT ?, application_id, id FROM webhook_endpoint WHERE id = ?", places
            )
            connection.executemany("INSERT INTO slot VALUES (?, ?, ?)", slots)
            indexes = connection.execute(
                "SELECT sql, name FROM sqlite_master"
                " WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (?, ?, ?)",
                FILLED,
            ).fetchall()
            for _, name in indexes:
                connection.execute(f"DROP INDEX {name}")
            for statement in self.statements(IN_SQLITE, values):
                connection.execute(statement)
            for definition, _ in indexes:
                connection.execute(definition)

    def size_bytes(self) -> int:
        return self.path.stat().st_size


def questions(chance: random.Random) -> dict[str, Callable[[Database], Awaitable[object]]]:
    """What is asked of both: by a name for the table."""

    def lately() -> datetime:
        """Some instant in the time that both have."""
        return datetime.now(UTC) - timedelta(minutes=chance.randrange(1, 700))

    def endpoint(database: Database) -> str:
        return chance.choice(database.big)

    async def search(database: Database) -> object:
        return await database.engine.messages.search("big", status=AttemptStatus.FAIL, limit=20)

    async def message(database: Database) -> object:
        [one] = (await database.engine.messages.list("big", limit=1, before=lately())).data
        return await database.engine.attempts.list_by_message("big", one.id)

    async def poll(database: Database) -> object:
        sink = endpoint(database)
        await database.engine.messages.consumer_seek("big", sink, "me", after=lately())
        return await database.engine.messages.consumer_poll("big", sink, "me")

    return {
        "messages, newest": lambda at: at.engine.messages.list("big", limit=50),
        "messages, of some time": lambda at: at.engine.messages.list("big", limit=50, before=lately()),
        "messages of an event type": lambda at: at.engine.messages.list("big", limit=50, event_types=["kind.3"]),
        "messages of a small application": lambda at: at.engine.messages.list("other-7", limit=50),
        "messages of a channel that has none": lambda at: at.engine.messages.list("big", limit=50, channel="none"),
        "messages that failed, searched": search,
        "a message and its attempts": message,
        "attempts of an endpoint": lambda at: at.engine.attempts.list_by_endpoint("big", endpoint(at), limit=50),
        "failed attempts of an endpoint": lambda at: at.engine.attempts.list_by_endpoint(
            "big", endpoint(at), limit=50, status=AttemptStatus.FAIL
        ),
        "attempts with codes that none has": lambda at: at.engine.attempts.list_by_endpoint(
            "big", endpoint(at), limit=50, status_code_class=400
        ),
        "attempts of an event type that none has": lambda at: at.engine.attempts.list_by_endpoint(
            "big", endpoint(at), limit=50, event_types=["none"]
        ),
        "attempted messages of a tag that none has": lambda at: at.engine.attempts.list_attempted_messages(
            "big", endpoint(at), limit=50, tag="none"
        ),
        "attempted messages of an endpoint": lambda at: at.engine.attempts.list_attempted_messages(
            "big", endpoint(at), limit=50
        ),
        "attempted messages, to come": lambda at: at.engine.attempts.list_attempted_messages(
            "big", endpoint(at), limit=50, status=AttemptStatus.PENDING
        ),
        "statistics of 10 hours": lambda at: at.engine.endpoints.stats(
            "big", endpoint(at), since=datetime.now(UTC) - timedelta(hours=10)
        ),
        "endpoints of an application": lambda at: at.engine.endpoints.list("big"),
        "applications": lambda at: at.engine.applications.list(),
        "poller, from some time on": poll,
        "figures for the metrics": lambda at: at.engine.services.store.upkeep.figures(100_000),
        "a message is created": lambda at: at.engine.messages.create(
            "big", event_type="kind.3", payload={"a": 1}, deliver_at=datetime.now(UTC) + timedelta(days=1)
        ),
    }


async def timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def pace(database: Database, messages: int) -> float:
    """Seconds that it takes to delete so many of the oldest messages, in steps like those of retention."""
    upkeep, until = database.engine.services.store.upkeep, id_bounds("msg_", int(time.time() * 1_000_000))[0]
    attempts_until = until.replace("msg_", "atmpt_")
    deleted, took, after = 0, 0.0, ""
    while deleted < messages:
        began = time.perf_counter()
        cleaned = await upkeep.delete_messages(after, until, attempts_until, 200)
        took += time.perf_counter() - began
        deleted += cleaned.changed
        if cleaned.cursor is None:
            break
        after = cleaned.cursor
    return took / max(deleted, 1) * messages


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def measure(few: Database, many: Database) -> int:
    chance = random.Random(11)
    rows: list[tuple[str, float, float]] = []
    starts: tuple[list[float], list[float]] = ([await few.start()], [await many.start()])
    for _ in range(5):
        starts[0].append(await few.restart())
        starts[1].append(await many.restart())
    rows.append(("start", statistics.median(starts[0]), statistics.median(starts[1])))
    for name, ask in questions(chance).items():
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(10):
            await ask(few)
            await ask(many)
        for _ in range(ASKED):
            times[0].append(await timed(ask(few)))
            times[1].append(await timed(ask(many)))
        rows.append((name, p95(times[0]), p95(times[1])))
    deleted = min(20_000, few.messages // 4)
    rounds: list[tuple[float, float]] = [
        (await pace(few, deleted // 4), await pace(many, deleted // 4)) for _ in range(4)
    ]
    rows.append((f"retention, {deleted // 4:,} messages", *map(statistics.median, zip(*rounds, strict=True))))  # type: ignore[arg-type]
    for database in (few, many):
        await database.engine.stop()
    failed = False
    print(
        f"\n{'ms (95th percentile; start and retention: median)':52} "
        f"{few.messages:>12,} {many.messages:>12,} {'ratio':>6}"
    )
    for name, with_few, with_many in rows:
        slower = with_many > with_few * ALLOWED and with_many - with_few > TOLERATED_S
        failed |= slower
        ratio = with_many / with_few
        print(f"{name:52} {with_few * 1e3:12.1f} {with_many * 1e3:12.1f} {ratio:6.2f}{' TOO SLOW' if slower else ''}")
    return 1 if failed else 0


async def main(system: str, messages: int, few: int, directory: Path) -> int:
    free, needed = shutil.disk_usage(directory).free, messages * BYTES_EACH
    if free < needed * 1.2:
        print(f"{messages:,} messages need {needed >> 30} GiB below /tmp, where {free >> 30} GiB are free")
        return 2
    with contextlib.ExitStack() as stack:
        databases: Sequence[Database]
        if system == "sqlite":
            databases = (
                InSqlite(directory / "few.db", few, messages),
                InSqlite(directory / "many.db", messages, messages),
            )
        else:
            url = stack.enter_context(
                postgresql(settings=("max_wal_size=8GB", "shared_buffers=512MB", "autovacuum=off"))
            )
            databases = InPostgresql(url, "few", few, messages), InPostgresql(url, "many", messages, messages)
        for database in databases:
            began = time.perf_counter()
            await database.fill()
            took = time.perf_counter() - began
            size = database.size_bytes() / 2**30
            print(f"{database.messages:,} messages: {size:.1f} GiB, filled in {took:.0f} s", flush=True)
        return await measure(*databases)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--on", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--few", type=int, default=100_000)
    arguments = parser.parse_args()
    logging.getLogger("webhook_engine").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        sys.exit(asyncio.run(main(arguments.on, arguments.messages, arguments.few, Path(directory))))
