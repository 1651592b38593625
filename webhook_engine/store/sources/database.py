"""The outbox table through a blocking driver: SQL statements that differ little between databases."""

# ruff: noqa: S608 (only names of ours are put into statements, values never)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import msgspec

from webhook_engine.errors import StoreError, StoreUnavailableError
from webhook_engine.outbox.dialect import TABLE
from webhook_engine.store.records import OutboxRow, RefusedRow

__all__ = ["SetAsideRow", "SourceDatabase"]

_COLUMNS = (
    "message_id",
    "organization",
    "application",
    "event_type",
    "payload",
    "event_id",
    "channels",
    "tags",
    "deliver_at",
)


class SetAsideRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that can never be delivered as it stands."""

    id: int
    application: str
    event_type: str
    error: str
    failed_at: str
    message_id: str | None


class SourceDatabase(ABC):
    """One connection, used by one thread at a time. Each change is committed when its method returns."""

    placeholder: ClassVar[str]
    waiting: ClassVar[str] = "error IS NULL"
    """The condition of rows that wait to be moved."""
    now: ClassVar[str] = "CURRENT_TIMESTAMP"
    """The expression for the value of ``failed_at``."""
    begin: ClassVar[str] = "BEGIN"
    claim: ClassVar[str | None] = None
    """The clause that locks the rows of a query until the end of the transaction and skips those that are locked.

    ``None``: rows cannot be locked individually; the lock on the whole outbox is used.
    """
    claim_from: ClassVar[str] = TABLE
    before_claim: ClassVar[Sequence[str]] = ()
    """Statements for the transaction in which rows are claimed."""
    errors: tuple[type[Exception], ...]
    """The exceptions of the driver."""
    look_every_s: float = 0.05

    def __init__(self, name: str) -> None:
        self.name = name
        self._connection: Any = None
        self._claimed: list[int] = []
        """The rows locked by the current transaction."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def claiming(self) -> bool:
        """Whether rows are claimed."""
        return bool(self._claimed)

    @property
    def descriptor(self) -> int | None:
        """A socket that becomes readable when the database notifies of rows; ``None`` if it never does."""
        return None

    def told(self) -> bool:
        """Whether a notification was read already, so that the socket does not become readable for it."""
        return False

    @abstractmethod
    def _connect(self) -> Any:
        """Open a connection in autocommit mode."""

    @abstractmethod
    def _take(self) -> None:
        """Lock this outbox against other engines while the connection lasts; raises ``StoreError`` if another holds it.

        Behind a pooler no lock lasts as long as the connection. There only the row locks keep engines apart.
        """

    def _is_taken(self, error: Exception) -> bool:
        """Whether an error of a claim means that another engine has a claim on a row."""
        return False

    def connect(self, *, exclusive: bool = True) -> None:
        """Connect; ``exclusive`` as the one engine that takes from this outbox."""
        with self._faults():
            self._connection = self._connect()
            if exclusive:
                self._take()

    def close(self) -> None:
        """Close the connection; harmless where there is none."""
        connection, self._connection = self._connection, None
        self._claimed = []
        if connection is not None:
            with suppress(*self.errors):
                connection.close()

    def changed(self) -> bool:
        """Whether somebody may have written since the last call."""
        return True

    def rows(self, limit: int) -> list[OutboxRow]:
        """Claim rows to move, oldest first. No other engine gets them until they are removed, set aside or released."""
        if self.claim is None:
            return self._rows(f"WHERE {self.waiting} ORDER BY id LIMIT {limit:d}")
        # Usually there are no rows; then no transaction is needed.
        found = self._read(f"SELECT id FROM {TABLE} WHERE {self.waiting} ORDER BY id LIMIT {limit:d}")
        return self._claim([row_id for (row_id,) in found]) if found else []

    def identify(self, message_ids: Sequence[tuple[int, str]]) -> list[int]:
        """Store the message ids given to rows without one; returns rows that another engine has claimed meanwhile."""
        claimed = self._claimed
        statement = f"UPDATE {TABLE} SET message_id = {self.placeholder} WHERE id = {self.placeholder}"
        self._change([(statement, (message_id, row_id)) for row_id, message_id in message_ids])
        if self.claim is None:
            return []
        # The commit has ended the claims. Another engine that claims a row now sees its message id.
        ours = {row.id for row in self._claim(claimed)}
        return [row_id for row_id in claimed if row_id not in ours]

    def release(self) -> None:
        """Release the remaining claims; harmless if there are none."""
        if self._claimed:
            self._claimed = []
            self._read("ROLLBACK", fetch=False)

    def remove(self, row_ids: Sequence[int]) -> None:
        """Delete rows whose messages are stored."""
        self._change([(f"DELETE FROM {TABLE} WHERE id IN ({self._list(row_ids)})", row_ids)])

    def set_aside(self, refused: Sequence[RefusedRow]) -> None:
        """Keep rows that can never be delivered out of the way, with their errors."""
        statement = (
            f"UPDATE {TABLE} SET error = {self.placeholder}, failed_at = {self.now} WHERE id = {self.placeholder}"
        )
        self._change([(statement, (row.error, row.id)) for row in refused])

    # For the commands that manage rows set aside.

    def count_waiting(self) -> int:
        """How many rows wait to be moved."""
        return int(self._read(f"SELECT count(*) FROM {TABLE} WHERE {self.waiting}")[0][0])

    def list_set_aside(self, limit: int) -> list[SetAsideRow]:
        """Rows that were set aside, oldest first."""
        found = self._read(
            f"SELECT id, application, event_type, error, failed_at, message_id FROM {TABLE} "
            f"WHERE NOT ({self.waiting}) ORDER BY id LIMIT {limit:d}"
        )
        return [
            SetAsideRow(
                id=row_id,
                application=_text(application) or "",
                event_type=_text(event_type) or "",
                error=_text(error) or "",
                failed_at=str(failed_at),
                message_id=_text(message_id),
            )
            for row_id, application, event_type, error, failed_at, message_id in found
        ]

    def retry(self, row_ids: Sequence[int] | None) -> int:
        """Retry these rows that were set aside, or all of them; returns how many there were."""
        return self._change_set_aside(f"UPDATE {TABLE} SET error = NULL, failed_at = NULL", row_ids)

    def discard(self, row_ids: Sequence[int] | None) -> int:
        """Delete these rows that were set aside, or all of them; returns how many there were."""
        return self._change_set_aside(f"DELETE FROM {TABLE}", row_ids)

    def _change_set_aside(self, statement: str, row_ids: Sequence[int] | None) -> int:
        chosen = "" if row_ids is None else f" AND id IN ({self._list(row_ids)})"
        return self._change([(f"{statement} WHERE NOT ({self.waiting}){chosen}", row_ids or ())])

    def _rows(self, which: str, values: Sequence[object] = (), *, place: str = TABLE) -> list[OutboxRow]:
        columns = ", ".join(self._column(name) for name in _COLUMNS)
        return [_row(found) for found in self._read(f"SELECT id, {columns} FROM {place} {which}", values)]

    def _claim(self, row_ids: Sequence[int]) -> list[OutboxRow]:
        """Begin a transaction that locks those of these rows that still wait and are not locked."""
        which = f"WHERE id IN ({self._list(row_ids)}) AND {self.waiting} ORDER BY id {self.claim}"
        for statement in (self.begin, *self.before_claim):
            self._read(statement, fetch=False)
        try:
            rows = self._rows(which, row_ids, place=self.claim_from)
        except _TakenError:
            rows = []
        self._claimed = [row.id for row in rows]
        if not rows:
            self._read("ROLLBACK", fetch=False)
        return rows

    def _column(self, name: str) -> str:
        """The SQL expression to read a column."""
        return name

    def _list(self, values: Sequence[object]) -> str:
        return ", ".join([self.placeholder] * len(values)) or "NULL"

    def _read(self, statement: str, values: Sequence[object] = (), *, fetch: bool = True) -> list[tuple[Any, ...]]:
        with self._faults():
            cursor = self._connection.cursor()
            try:
                cursor.execute(statement, tuple(values))
                return list(cursor.fetchall()) if fetch else []
            except self.errors as error:
                if self._is_taken(error):
                    raise _TakenError from error
                raise
            finally:
                cursor.close()

    def _change(self, statements: Sequence[tuple[str, Sequence[object]]]) -> int:
        """Run statements in one transaction, which ends the claims; returns how many rows were changed."""
        changed = 0
        claimed, self._claimed = self._claimed, []
        with self._faults():
            cursor = self._connection.cursor()
            try:
                if not claimed:
                    cursor.execute(self.begin)
                for statement, values in statements:
                    cursor.execute(statement, tuple(values))
                    changed += cursor.rowcount
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(*self.errors):
                    cursor.execute("ROLLBACK")
                raise
            finally:
                with suppress(*self.errors):
                    cursor.close()
        return changed

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Translate the driver's exceptions into our errors, and drop the connection, which may be broken."""
        try:
            yield
        except _TakenError:
            raise
        except StoreError:
            self.close()
            raise
        except Exception as error:
            if not isinstance(error, (*self.errors, OSError)):
                raise
            self.close()
            words = " ".join(str(error).split()) or repr(error)
            missing = TABLE in words and any(each in words for each in ("no such table", "not exist", "n't exist"))
            hint = "; make the table with what `webhook-engine outbox sql` prints" if missing else ""
            if "unable to open database file" in words:
                hint = (
                    "; check that the file is there, and that this user may write it"
                    " (a relative path begins at the working directory)"
                )
            raise StoreUnavailableError(f"the outbox of {self.name}: {words}{hint}") from error


class _TakenError(Exception):
    """Another engine has a claim on a row."""


def _row(values: Sequence[Any]) -> OutboxRow:
    """Convert a row without errors, since programs may have written anything into the table."""
    row_id, message_id, organization, application, event_type, payload, event_id, channels, tags, deliver_at = values
    return OutboxRow(
        id=row_id,
        message_id=_text(message_id),
        organization=_text(organization),
        application=_text(application) or "",
        event_type=_text(event_type) or "",
        payload=payload.encode() if isinstance(payload, str) else bytes(payload or b""),
        event_id=_text(event_id),
        channels=_text(channels),
        tags=_text(tags),
        deliver_at=_text(deliver_at),
    )


def _text(value: object) -> str | None:
    if value is None:
        return None
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray | memoryview) else str(value)
