"""The outbox in a PostgreSQL database."""

from __future__ import annotations

from typing import Any

import psycopg

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.sources.database import SourceDatabase

__all__ = ["PostgresqlSource"]

CONNECT_TIMEOUT_S = 10
LOCK_SPACE = 0x77686F62
"""The first half of the advisory lock; the second is the table."""

_OPTIONS: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "application_name": "webhook-engine",
    # Detects within a minute that the server has vanished.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_HAS_TRIGGER = """
SELECT count(*) FROM pg_trigger
WHERE tgrelid = 'webhook_outbox'::regclass AND tgname = 'webhook_outbox_notify' AND tgenabled <> 'D'
"""


class PostgresqlSource(SourceDatabase):
    """Listens to the notifications of the table's trigger, and also polls, more often without a trigger.

    Behind a pooler, such as PgBouncer in transaction mode, each transaction may run in another session. So no session
    state is used there (lock that outlasts a transaction, prepared statement, ``LISTEN``), and polling is frequent.
    """

    placeholder = "%s"
    # An engine whose machine vanishes during a move must not keep its claims for hours.
    before_claim = ("SET LOCAL idle_in_transaction_session_timeout = '60s'",)
    claim = "FOR UPDATE SKIP LOCKED"
    errors = (psycopg.Error,)
    look_every_s = 5.0
    look_every_without_trigger_s = 0.08
    look_every_behind_pooler_s = 0.05

    def __init__(self, name: str, url: str, schema: str | None = None) -> None:
        super().__init__(name)
        self._url = url
        self._schema = schema
        self._told = False
        self._pooled = False

    @property
    def descriptor(self) -> int | None:
        """The socket of the connection."""
        connection: psycopg.Connection | None = self._connection
        return None if connection is None or connection.closed or self._pooled else connection.fileno()

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None, **_OPTIONS)
        if self._schema is not None:
            connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", (self._schema,))
        # A pooler reports an invented process id to its clients.
        [process] = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        self._pooled = process != connection.info.backend_pid
        if self._pooled:
            self.look_every_s = self.look_every_behind_pooler_s
            return connection
        connection.add_notify_handler(self._note)
        connection.execute("LISTEN webhook_outbox")
        [triggers] = connection.execute(_HAS_TRIGGER).fetchone() or (0,)
        self.look_every_s = type(self).look_every_s if triggers else self.look_every_without_trigger_s
        return connection

    def _take(self) -> None:
        if self._pooled:
            return
        [(taken,)] = self._read(
            "SELECT pg_try_advisory_lock(%s, 'webhook_outbox'::regclass::oid::integer)", (LOCK_SPACE,)
        )
        if not taken:
            raise StoreUnavailableError(f"the outbox of {self.name}: another engine takes from it; stop that one")

    def changed(self) -> bool:
        """Whether there may be new rows: always, since only a query can tell."""
        self._told = False
        return True

    def told(self) -> bool:
        """Whether a notification arrived with an earlier reply."""
        return self._told or (self._connection is not None and self._connection.pgconn.notifies() is not None)

    def _note(self, _: psycopg.Notify) -> None:
        self._told = True
