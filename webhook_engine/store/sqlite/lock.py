"""The lock that keeps a second engine off a database.

It is on a file beside the database, not on the database: other processes may go on reading and writing their own
tables, and the outbox, in it. The system releases it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

import msgspec

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.errors import EngineAlreadyRunningError, StoreUnavailableError

__all__ = ["EngineLock"]

_held: set[int] = set()


def _let_go_in_child() -> None:
    # A forked child shares the lock with its parent and would keep it after the parent's death.
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


class _Holder(msgspec.Struct, frozen=True):
    """Who holds the lock, as written into the file."""

    pid: int
    host: str
    since: str


class EngineLock:
    """Says that an engine runs on the database at ``path``."""

    def __init__(self, path: Path) -> None:
        self._database = path
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises ``EngineAlreadyRunningError`` that names the holder if another engine has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnavailableError(
                f"{self._path}: {error.strerror}; check that the directory exists and may be written"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sign(descriptor)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise EngineAlreadyRunningError(
                f"{self._database} is in use by another engine ({holder}); stop that one, "
                "or give this one a database of its own"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreUnavailableError(f"{self._path}: cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor
        _held.add(descriptor)

    def release(self) -> None:
        """Let go; harmless where nothing is held."""
        # The file stays: if it went, two engines could lock two files of the same name.
        if self._descriptor in _held:
            _held.discard(self._descriptor)
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                # Closing alone would not do while a child that was just forked still has its copy.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
        self._descriptor = None


def _sign(descriptor: int) -> None:
    since = to_datetime(Clock().now()).isoformat(timespec="seconds")
    text = msgspec.json.encode(_Holder(os.getpid(), socket.gethostname(), since)) + b"\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _holder(descriptor: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(descriptor, 4096, 0), type=_Holder)
    except (OSError, msgspec.DecodeError):
        return "which is just starting or stopping"
    return f"process {holder.pid} on {holder.host}, since {holder.since}"
