"""Connections to a PostgreSQL database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import msgspec

from webhook_engine.config.values import without_passwords
from webhook_engine.errors import ConfigError, StoreUnavailableError

__all__ = ["Connector", "Server", "Session", "Sharing", "Told", "assignments", "quoted", "search_path", "shown"]

Row: TypeAlias = Any
"""A record of asyncpg, read as a tuple. The query knows the types of its columns."""

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 30.0
"""Seconds that a statement may take, even if the server has vanished."""
ROWS_AT_A_TIME = 10
OLDEST_SERVER = 140_000

_SETTINGS = {
    # Every statement here has its index. Statistics of a time when there was little to see must not lead it past that.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # An engine suspended during a transaction must not keep its locks for hours.
    "idle_in_transaction_session_timeout": "10000",
}

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
"""Set regardless of the defaults of role and database: the statements rely on seeing what others committed."""

_ONLY_LIBPQ = {
    "channel_binding",
    "gssdelegation",
    "gssencmode",
    "hostaddr",
    "load_balance_hosts",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "sslcertmode",
    "sslcompression",
    "sslcrldir",
    "sslkeylogfile",
    "sslnegotiation",
    "sslsni",
}
"""Parameters of libpq that asyncpg does not know; it would send them to the server, which refuses them."""
_HARMLESS = {"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"}
"""Parameters of libpq that are ignored: nothing here relies on them."""

_SERVER = """
SELECT
    pg_backend_pid(), current_setting('server_version_num')::integer, current_setting('server_encoding'),
    current_setting('synchronous_commit'), current_setting('fsync'), pg_is_in_recovery()
"""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The server."""

    version: int
    """As ``server_version_num`` has it: 150004 is 15.4."""
    pooled: bool
    """Whether there is a pooler in between that may run each transaction in another session."""
    fsync: bool
    """Whether the server flushes commits to disk."""
    waits: bool
    """Whether it does so before it reports a commit, without a setting by the engine."""


class Told(NamedTuple):
    """A stored notice for other engines."""

    xid: int
    """The transaction that stored it."""
    id: int
    content: str
    """JSON."""


class Sharing:
    """The member that this engine is, and its shards."""

    def __init__(self) -> None:
        self.member_id: str | None = None
        self.shards: frozenset[int] = frozenset()
        """The shards that it sends for."""
        self.on_told: Callable[[Sequence[Told]], None] = lambda _: None
        """Called after a commit with the notices that its transaction stored."""


class Session:
    """The connection of a job, and its transaction."""

    __slots__ = ("_connection", "sharing", "told", "xid")

    def __init__(self, connection: asyncpg.Connection, sharing: Sharing | None = None) -> None:
        self._connection = connection
        self.sharing = sharing or Sharing()
        self.told: list[Told] = []
        """Notices for other engines that the transaction stores."""
        self.xid: str | None = None
        """The id of the transaction, once a statement has returned it."""

    async def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Run one statement; all its rows."""
        found: list[Row] = await self._connection.fetch(sql, *parameters)
        return found

    async def row(self, sql: str, *parameters: object) -> Row:
        """Run one statement; its first row, ``None`` if it has none."""
        return await self._connection.fetchrow(sql, *parameters)

    async def value(self, sql: str, *parameters: object) -> Any:
        """Run one statement; the first value of its first row."""
        return await self._connection.fetchval(sql, *parameters)

    def stream(self, sql: str, *parameters: object) -> AsyncIterator[Row]:
        """Run one statement in a transaction; yields its rows one by one, and can be ended early."""
        return self._connection.cursor(sql, *parameters, prefetch=ROWS_AT_A_TIME).__aiter__()  # type: ignore[no-any-return]

    async def change(self, sql: str, *parameters: object) -> int:
        """Run one statement; how many rows it changed."""
        # It answers "UPDATE 3" or "INSERT 0 3".
        words: str = await self._connection.execute(sql, *parameters)
        return int(words.rpartition(" ")[2])

    async def script(self, sql: str) -> None:
        """Run several statements."""
        await self._connection.execute(sql)


class Connector:
    """Makes connections to the database with this URL, all of them in one schema."""

    def __init__(self, url: str, schema: str | None) -> None:
        self.name = shown(url)
        """The URL without secrets."""
        self.schema = schema
        self._dsn, self._timeout = _for_asyncpg(url)
        self._settings = dict(_SETTINGS)
        if schema is not None:
            self._settings["search_path"] = search_path(schema)
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The server as the first connection found it."""
        assert self._server is not None  # noqa: S101 (made by `look`, which comes first)
        return self._server

    @property
    def begin(self) -> str:
        """The statement that begins a transaction. Behind a pooler, the session may lack the settings of the engine."""
        if not self.server.pooled:
            return _BEGIN
        return "; ".join((_BEGIN, *(f"SET LOCAL {name} = {_value(text)}" for name, text in self._settings.items())))

    async def look(self) -> Server:
        """Check the server; raises ``StoreUnavailableError`` if it cannot be used."""
        connection = await self._connect({}, cached=False)
        try:
            async with connection.transaction():
                process, version, encoding, commit, fsync, standby = await connection.fetchrow(_SERVER)
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_S)
        if version < OLDEST_SERVER:
            raise StoreUnavailableError(f"{self.name}: its server is older than PostgreSQL 14; use a newer one")
        if encoding != "UTF8":
            raise StoreUnavailableError(
                f"{self.name}: its encoding is {encoding}; make a database with ENCODING 'UTF8' for the engine"
            )
        if standby:
            raise StoreUnavailableError(f"{self.name}: this server is a standby; name the primary in store.url")
        if commit == "off":
            # With it the server says that a commit is durable before it is.
            self._settings["synchronous_commit"] = "on"
        # A pooler reports an invented process id to its clients.
        pooled = process != connection.get_server_pid()
        self._server = Server(version=version, pooled=pooled, fsync=fsync == "on", waits=commit != "off")
        return self._server

    async def connect(self, *, patient: bool = False) -> asyncpg.Connection:
        """A new connection; ``patient`` if its statements have no time-out."""
        if self._server is None:
            await self.look()
        pooled = self.server.pooled
        return await self._connect({} if pooled else self._settings, cached=not pooled, patient=patient)

    async def _connect(self, settings: Mapping[str, str], *, cached: bool, patient: bool = False) -> asyncpg.Connection:
        options: dict[str, Any] = {} if cached else {"statement_cache_size": 0}
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=self._timeout,
                command_timeout=None if patient else REPLY_TIMEOUT_S,
                server_settings=dict(settings) or None,
                **options,
            )
        except (asyncpg.ClientConfigurationError, asyncpg.TargetServerAttributeNotMatched) as error:
            raise StoreUnavailableError(f"{self.name}: {error}; correct store.url") from error


def shown(url: str) -> str:
    """The URL without secrets and parameters, to be shown."""
    parts = urlsplit(url)
    return without_passwords(f"{parts.scheme}://{parts.netloc}{parts.path}")


def search_path(schema: str) -> str:
    """The search path: only this schema, so that no table of another hides one of the engine."""
    return f"{quoted(schema)}, pg_temp"


def quoted(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def assignments(names: Iterable[str], after: int = 0) -> str:
    """``SET`` of these columns, each to the next parameter after so many."""
    return ", ".join(f"{name} = ${number}" for number, name in enumerate(names, after + 1))


def _require_service_file() -> None:
    """Raises an error if the service file is missing; the driver would connect as if no service were named."""
    file = Path(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
    if not file.is_file():
        raise ConfigError(f"store.url names a service, but {file} is not there; make it, or set PGSERVICEFILE")


def _value(text: str) -> str:
    return text if text.startswith('"') else "'" + text.replace("'", "''") + "'"


def _for_asyncpg(url: str) -> tuple[str, float]:
    """The URL for asyncpg, and the time-out of connecting in seconds."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    unknown = sorted({name for name, _ in given} & _ONLY_LIBPQ)
    if unknown:
        raise ConfigError(f"store.url: the engine cannot do what {unknown[0]} asks for; leave it out")
    if "service" in dict(given):
        _require_service_file()
    timeout = CONNECT_TIMEOUT_S
    for name, value in given:
        if name == "connect_timeout":
            if not value.isdecimal():
                raise ConfigError("store.url: connect_timeout must be a number of seconds")
            timeout = float(value) or CONNECT_TIMEOUT_S
    kept = [(name, value) for name, value in given if name not in _HARMLESS and name != "connect_timeout"]
    if "application_name" not in dict(kept):
        kept.append(("application_name", "webhook-engine"))
    # An empty name would be taken for one, and the service's not looked at.
    path = parts.path if parts.path.strip("/") else ""
    return urlunsplit(parts._replace(path=path, query=urlencode(kept))), timeout
