"""The daemon as a process of its own, and other commands beside it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Daemon:
    """A running ``webhook-engine serve``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[dict[str, object]] = []
        self.url = ""

    async def until(self, event: str) -> dict[str, object]:
        """Read the log up to an event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while line := await self.process.stderr.readline():
                self.log.append(json.loads(line))
                if self.log[-1]["event"] == event:
                    return self.log[-1]
        raise AssertionError(f"no {event} in {self.log}")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(20):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


async def command(directory: Path, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    files = int(environment.pop("files", "0"))

    def limit() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from webhook_engine.cli import main; main()", *arguments,
        cwd=directory, env={**os.environ, **environment}, preexec_fn=limit,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def output(directory: Path, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    process = await command(directory, *arguments, **environment)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def daemon(directory: Path, listen: str = "127.0.0.1:0", **environment: str) -> AsyncIterator[Daemon]:
    process = await command(directory, "serve", "--listen", listen, **environment)
    running = Daemon(process)
    try:
        running.url = str((await running.until("daemon.serving"))["url"])
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def token(directory: Path, *arguments: str) -> str:
    code, out, err = await output(directory, "token", *arguments)
    assert (code, err) == (0, "")
    return out.strip()
