"""Translates the errors of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from webhook_engine.errors import ConflictError, StoreError, StoreUnavailableError

__all__ = ["FAULTS", "Fault", "is_busy", "is_damage", "is_environmental", "is_taken", "naming_conflicts", "store_error"]

Fault: TypeAlias = sqlite3.Error | MemoryError
"""The errors of SQLite; for lack of memory, Python's module raises ``MemoryError``."""
FAULTS = (sqlite3.Error, MemoryError)

_ADVICE = {
    sqlite3.SQLITE_FULL: "free disk space; nothing that was accepted is lost, and work goes on when there is room",
    sqlite3.SQLITE_BUSY: "another process holds a write transaction on it for long; end that one",
    sqlite3.SQLITE_LOCKED: "another process holds a write transaction on it for long; end that one",
    sqlite3.SQLITE_CANTOPEN: "check that its directory exists and may be written",
    sqlite3.SQLITE_READONLY: "check that the file and its directory may be written",
    sqlite3.SQLITE_PERM: "check that the file and its directory may be written",
    sqlite3.SQLITE_NOTADB: "the file is not an intact SQLite database; restore it from a backup",
    sqlite3.SQLITE_CORRUPT: "the file is not an intact SQLite database; restore it from a backup",
    sqlite3.SQLITE_IOERR: "check the disk; try again later",
    sqlite3.SQLITE_NOMEM: "there is not enough memory; try again later",
    sqlite3.SQLITE_PROTOCOL: "too many processes are opening it; try again later",
    sqlite3.SQLITE_INTERRUPT: "try again later",
}
"""Errors of the environment, which any change can meet, and what to do about each."""

_DAMAGE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_TAKEN = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}


def is_environmental(error: Exception) -> bool:
    """Whether an error comes from disk, file or another process, and not from the change itself."""
    return isinstance(error, FAULTS) and _code(error) in _ADVICE


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process uses the file, which will end."""
    return _code(error) == sqlite3.SQLITE_BUSY


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is not an intact database."""
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGE


def is_taken(error: sqlite3.IntegrityError) -> bool:
    """Whether a value that must be unique exists already."""
    return getattr(error, "sqlite_errorcode", None) in _TAKEN


def store_error(path: Path, error: Fault) -> StoreError:
    """The error of this package for an error of SQLite."""
    advice = _ADVICE.get(_code(error))
    if advice:
        text = str(error) or "out of memory"
        return StoreUnavailableError(f"{path}: {text}; {advice}", reason=text)
    return StoreError(f"{path}: {error}; the change was refused and nothing of it was kept")


@contextmanager
def naming_conflicts(kind: str, values: dict[str, str | None]) -> Iterator[None]:
    """Turn the error about a taken value into a ``ConflictError`` that names it, one of ``values``."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        # "UNIQUE constraint failed: webhook_endpoint.application_id, webhook_endpoint.uid": the last one tells.
        field = str(error).rpartition(".")[2]
        if not is_taken(error) or field not in values:
            raise
        raise ConflictError(kind, field, values[field] or "") from error


def _code(error: Fault) -> int:
    if isinstance(error, MemoryError):
        return sqlite3.SQLITE_NOMEM
    # The lower byte is the kind; the higher ones say it more exactly.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
