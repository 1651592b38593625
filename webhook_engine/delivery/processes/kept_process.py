"""A helper process, started on first use and reused; it runs :mod:`.child` with one of our programs.

It is not forked from the host program, and runs none of its code.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from webhook_engine.delivery.processes.child import READY

__all__ = ["KeptProcess", "NotStartedError"]

T = TypeVar("T")

STARTING_S = 60.0
MAX_REPLY = 16_000_000
_CHILD = Path(__file__).with_name("child.py")


class NotStartedError(Exception):
    """The process cannot be started."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__("the process could not be started")
        self.exit_code = exit_code


class KeptProcess:
    """One process, which does one job at a time."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; ``None`` if it does not run."""
        return None if self._process is None else self._process.pid

    async def in_thread(self, work: Callable[[], T], threads: Executor | None = None) -> T:
        """Run blocking work, such as :meth:`do`, in a thread. A cancelled caller waits until the process is free."""
        # Large jobs are written and read in the thread too.
        working = asyncio.get_running_loop().run_in_executor(threads, work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self.interrupt()
            await asyncio.wait([working])
            raise

    def do(self, job: bytes, limit_s: float) -> bytes | None:
        """Do a job and return the reply; ``None`` if it took too long or the process died, which then is gone. Blocks.

        Raises ``NotStartedError``.
        """
        process = self._process
        if process is None or process.poll() is not None:
            process = self._start()
        ends_at = time.monotonic() + limit_s
        try:
            self._write(process, struct.pack(">I", len(job)), ends_at)
            self._write(process, job, ends_at)
            (length,) = struct.unpack(">I", self._read(process, 4, ends_at))
            if length <= MAX_REPLY:
                return self._read(process, length, ends_at + 1)
        except (OSError, EOFError, TimeoutError):
            pass
        self.kill()
        return None

    def interrupt(self) -> None:
        """Make the current job fail soon; to be called from another thread than the one that waits for it."""
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill it, and the processes that it has started. Blocks."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self.kill()
        folders = [one for one in sys.path if os.path.isabs(one)]
        try:
            process = self._process = subprocess.Popen(  # noqa: S603 (our own file, by our own interpreter)
                [sys.executable, "-I", str(_CHILD), str(self._program), *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise NotStartedError(None) from error
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        try:
            if self._read(process, len(READY), time.monotonic() + STARTING_S) == READY:
                return process
        except (OSError, EOFError, TimeoutError):
            pass
        self.kill()
        raise NotStartedError(process.returncode)

    def _write(self, process: subprocess.Popen[bytes], said: bytes, ends_at: float) -> None:
        pipe = process.stdin
        assert pipe is not None  # noqa: S101 (it was asked for)
        rest = memoryview(said)
        while rest:
            _wait(pipe, select.POLLOUT, ends_at)
            rest = rest[os.write(pipe.fileno(), rest) :]

    def _read(self, process: subprocess.Popen[bytes], count: int, ends_at: float) -> bytes:
        pipe = process.stdout
        assert pipe is not None  # noqa: S101 (it was asked for)
        got = bytearray()
        while len(got) < count:
            _wait(pipe, select.POLLIN, ends_at)
            piece = os.read(pipe.fileno(), count - len(got))
            if not piece:
                raise EOFError
            got += piece
        return bytes(got)


def _wait(pipe: IO[bytes], event: int, ends_at: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, ends_at - time.monotonic()) * 1_000):
        raise TimeoutError
