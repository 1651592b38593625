"""The locks that keep a second engine off a database. The system releases them when the process ends, however it ends.

The first is on a file beside the database, not on the database: other processes may go on reading and writing their own
tables, and the outbox, in it. The second keeps off an engine that comes by another name of the same file, a hard link,
which has another file beside it. It is a name that the system itself gives away once, made of the file's device and
inode. (To lock the database file would not do: closing any descriptor of it takes SQLite's own locks from all of
the process.) Only Linux has such names, and containers with a network of their own do not share them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
import time
from pathlib import Path

import msgspec

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.errors import EngineAlreadyRunningError, StoreUnavailableError

__all__ = ["EngineLock"]

COPY_CLOSES_WITHIN_MS = 200
"""Seconds that a forked child may take to close the descriptors it inherited."""

_held: set[int] = set()
"""Descriptors of the locks of this process."""
_claims: set[str] = set()
"""Names that this process holds."""


def _let_go_in_child() -> None:
    # A forked child shares the lock with its parent and would keep it after the parent's death.
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()
    _claims.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


class _Holder(msgspec.Struct, frozen=True):
    """The holder of the lock, as written into the file."""

    pid: int
    host: str
    since: str


class EngineLock:
    """Says that an engine runs on the database at ``path``."""

    def __init__(self, path: Path) -> None:
        self._database = path
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None
        self._claim: _Claim | None = None

    def acquire(self) -> None:
        """Raises ``EngineAlreadyRunningError`` that names the holder if another engine has it.

        Makes an empty database file where there is none.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreUnavailableError(
                f"{self._path}: {error.strerror}; check that the directory exists and may be written"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._claim = self._claimed()
            _sign(descriptor)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise self._taken(holder) from None
        except EngineAlreadyRunningError:
            os.close(descriptor)
            raise
        except OSError as error:
            os.close(descriptor)
            raise StoreUnavailableError(f"{self._path}: cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor
        _held.add(descriptor)

    def release(self) -> None:
        """Release the lock; harmless if it is not held."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()
        # The file stays: if it went, two engines could lock two files of the same name.
        if self._descriptor in _held:
            _held.discard(self._descriptor)
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                # Closing is not enough while a forked child still has its copy.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
        self._descriptor = None

    def _claimed(self) -> _Claim | None:
        # SQLite reports what cannot be created or examined.
        with contextlib.suppress(OSError):
            os.close(os.open(self._database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        try:
            status = os.stat(self._database)
        except OSError:
            return None
        claim = _Claim(status)
        for patience_ms in (0, COPY_CLOSES_WITHIN_MS):
            if claim.acquire(patience_ms):
                return claim
            if holder := claim.holder():
                raise self._taken(f"{holder}, which has it by another name, a hard link")
        return None

    def _taken(self, holder: str) -> EngineAlreadyRunningError:
        return EngineAlreadyRunningError(
            f"{self._database} is in use by another engine ({holder}); stop that one, "
            "or give this one a database of its own"
        )


class _Claim:
    """A name for one file, whatever its path, which one process can hold at a time."""

    def __init__(self, status: os.stat_result) -> None:
        self._name = f"\0webhook-engine/{status.st_dev:x}/{status.st_ino:x}"
        self._trusted = {os.geteuid(), 0, status.st_uid}
        self._descriptor: int | None = None

    def acquire(self, patience_ms: int) -> bool:
        """Whether this process holds it now, or the platform has none."""
        taken = self._try()
        for _ in range(patience_ms):
            if taken:
                break
            time.sleep(0.001)
            taken = self._try()
        return taken

    def _try(self) -> bool:
        if sys.platform != "linux":
            return True
        try:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError:  # a sandbox may not allow it
            return True
        try:
            claim.bind(self._name)
            claim.listen(socket.SOMAXCONN)
        except OSError as error:
            claim.close()
            return error.errno != errno.EADDRINUSE
        self._descriptor = claim.detach()
        _held.add(self._descriptor)
        _claims.add(self._name)
        return True

    def release(self) -> None:
        """Release the lock; harmless if it is not held."""
        if self._descriptor in _held:
            _held.discard(self._descriptor)
            _claims.discard(self._name)
            os.close(self._descriptor)
        self._descriptor = None

    def holder(self) -> str | None:
        """The process that holds it; ``None`` if it is an inherited copy, or a process that does not use the file."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            try:
                asking.connect(self._name)
                credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            except BlockingIOError:  # so many have asked that they stand in line
                return "a process"
            except OSError:  # it has just begun, or just ended
                return None
        process, user, _ = struct.unpack("3i", credentials)
        if process == os.getpid():
            return f"process {process}, this one" if self._name in _claims else None
        if user not in self._trusted or not _lives(process):
            return None
        return f"process {process}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
