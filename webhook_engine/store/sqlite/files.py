"""Whether the files of a database are still those that were opened.

Removing or replacing the file of a running engine does not close it: what is written goes to a file that nobody
can open any more, and is lost with the process. So each commit looks whether its path still leads to its file.
"""

from __future__ import annotations

import os
from pathlib import Path

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.log import get_logger

__all__ = ["OpenedFiles"]

_BESIDE = ("", "-wal", "-shm")
"""The suffixes of SQLite's files."""

log = get_logger("store")


class OpenedFiles:
    """The files of one database, as they were when this was made; they must exist then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = {f"{path}{suffix}": _identity(f"{path}{suffix}") for suffix in _BESIDE}
        self._missing = False

    def require(self) -> None:
        """Raises ``StoreUnavailableError`` if one of them was removed or replaced."""
        changed = next((file for file, identity in self._files.items() if _changed(file, identity)), None)
        if changed is None:
            if self._missing:
                self._missing = False
                log.warning("store.back", database=str(self._path))
            return
        problem = (
            f"{changed} was removed, moved or replaced while the engine runs on it, so what is written now would be "
            "lost; put it back as it was, or stop the engine, put a good database there and start it again"
        )
        if not self._missing:
            self._missing = True
            log.critical("store.lost", database=str(self._path), file=changed, error=problem)
        raise StoreUnavailableError(problem, reason="the database file was removed or replaced")


def _identity(file: str) -> tuple[int, int] | None:
    """Device and inode; ``None`` if there is no such file."""
    try:
        status = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def _changed(file: str, identity: tuple[int, int] | None) -> bool:
    try:
        return _identity(file) != identity
    except OSError:  # The path cannot be looked at, which says nothing of the file.
        return False
