"""Translation of PostgreSQL's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg

from webhook_engine.errors import ConflictError, StoreError, StoreUnavailableError

__all__ = ["FAULTS", "Fault", "is_environmental", "is_passing", "is_taken", "naming_conflicts", "store_error"]

Fault: TypeAlias = asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError | OSError
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What asyncpg raises: what the server said, what became of the connection, and ``TimeoutError``."""

_AWAY = "nothing that was accepted is lost, and work goes on by itself when it is back"
_ROOM = "free disk space on its server; nothing that was accepted is lost, and work goes on when there is room"
_STATES = {
    "08": f"it cannot be reached; {_AWAY}",
    "25006": "it is read-only, as a standby is; name the primary in store.url (target_session_attrs=primary finds it)",
    "25P03": f"it ended a transaction that stood still; {_AWAY}",
    "28": "it refuses this user or password; correct store.url, or the password file that it names",
    "3D000": "there is no such database; make it, or correct store.url",
    "40": "changes that others made at the same time were in the way again and again; try again later",
    "42501": "this user lacks a right there; give it to the user (docs/postgresql.md has the statements)",
    "42P01": "a table is missing; restore it, or let the engine start again, which makes what was never there",
    "53100": _ROOM,
    "53200": "its server has not enough memory; try again later",
    "53300": "it has no connection left; raise max_connections, or put a pooler before it",
    "53": "its server lacks resources; try again later",
    "55P03": "another transaction holds a lock for long; end that one",
    "57014": "it ended a statement that took too long; raise statement_timeout for this user",
    "57": f"it is stopping, starting or was ended; {_AWAY}",
    "58": "its server reports an error of its system; look into its log",
    "XX001": "a page of it is damaged; look into its log, and restore it from a backup",
    "XX002": "an index of it is damaged; look into its log, and rebuild it (REINDEX)",
}
"""Errors of the surroundings by SQLSTATE, or by its first two characters, and what to do about each."""

_UNIQUE_VIOLATION = "23505"
_PASSING = ("40001", "40P01")
"""A serialization failure and a deadlock: with another try the change may well be made."""


def is_environmental(error: Exception) -> bool:
    """Whether an error is the fault of server, network or others, and not of the change that met it."""
    if isinstance(error, asyncpg.PostgresError):
        return _advice(error) is not None
    if isinstance(error, asyncpg.InterfaceError):
        # What the driver cannot put into a statement is a ValueError besides.
        return not isinstance(error, ValueError)
    return isinstance(error, FAULTS)


def is_passing(error: Exception) -> bool:
    """Whether the same is worth another try at once."""
    return isinstance(error, asyncpg.PostgresError) and str(error.sqlstate) in _PASSING


def is_taken(error: asyncpg.PostgresError) -> bool:
    """Whether a value that must be unique exists already."""
    return str(error.sqlstate) == _UNIQUE_VIOLATION


def store_error(name: str, error: Fault) -> StoreError:
    """Our error for an error of the database with this name."""
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        advice = _advice(error)
        if advice is None:
            return StoreError(f"{name}: {words}; the change was refused and nothing of it was kept")
        return StoreUnavailableError(f"{name}: {words}; {advice}", reason=advice.partition(";")[0])
    if not is_environmental(error):
        return StoreError(f"{name}: {words}; the change was refused and nothing of it was kept")
    reason = "it did not answer in time" if isinstance(error, TimeoutError) else "it cannot be reached"
    return StoreUnavailableError(f"{name}: {words}; {reason}; {_AWAY}", reason=f"the database: {reason}")


@contextmanager
def naming_conflicts(kind: str, values: dict[str, str | None]) -> Iterator[None]:
    """Turn the error about a value that is taken into a ``ConflictError`` that names the one of ``values``.

    ``values`` go by the ends of the names of the indexes: ``by_uid`` is that of ``uid``, any other that of ``id``.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        field = "uid" if (error.constraint_name or "").endswith("_by_uid") else "id"
        if field not in values:
            raise
        raise ConflictError(kind, field, values[field] or "") from error


def _advice(error: asyncpg.PostgresError) -> str | None:
    state = str(error.sqlstate or "")
    return _STATES.get(state) or _STATES.get(state[:2])
