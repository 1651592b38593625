"""Runs consumers' scripts in separate processes, a few at a time, and kills those that take too long.

Applications take turns, and none has more than half of the processes, so the scripts of one application cannot block
those of others. The sandbox is described in :mod:`webhook_engine.delivery.transformations.worker`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from webhook_engine.delivery.processes.kept_process import KeptProcess, NotStartedError
from webhook_engine.delivery.transformations.functions import TransformationError
from webhook_engine.log import get_logger

__all__ = ["SLOWLY", "Said", "ScriptLimits", "Scripts", "missing"]

log = get_logger("scripts")

SLOWLY = 3
"""A script is killed after this many times its CPU time limit, since it takes longer on a busy machine."""
_PROGRAM = Path(__file__).with_name("worker.py")


class ScriptLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one run of a script."""

    processes: int = 2
    memory_bytes: int = 32_000_000
    time_s: float = 1.0
    """Seconds of CPU time."""
    output: int = 2_000_000
    """Characters of its result."""


class Said(msgspec.Struct, frozen=True):
    """What a script returned, and what it wrote to its console."""

    webhook: Mapping[str, msgspec.Raw]
    """The value of each member, as JSON."""
    logs: Sequence[str] = ()
    same: bool = False
    """Whether the payload is unchanged."""
    size: int = 0
    """Characters of the whole result."""

    def value(self, name: str, default: object = None) -> object:
        """The value of a small member. Raises ``TransformationError`` if it cannot be parsed."""
        try:
            return msgspec.json.decode(self.webhook[name]) if name in self.webhook else default
        except (msgspec.DecodeError, RecursionError):
            raise TransformationError(f"the script returned {name} that cannot be read") from None


class _Reply(msgspec.Struct):
    text: str | None = None
    same: bool = False
    error: str | None = None


def missing() -> str | None:
    """Why scripts cannot be run here; ``None`` if they can."""
    if not hasattr(os, "fork"):
        return "scripts of consumers need an operating system with fork, such as Linux"
    if importlib.util.find_spec("quickjs") is None:
        return "scripts of consumers need the extra: pip install 'webhook-engine[transformations]'"
    return None


class Scripts:
    """The processes for scripts, started when the first script is run."""

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = limits
        self._threads: ThreadPoolExecutor | None = None
        self._free: list[KeptProcess] = []
        self._all: list[KeptProcess] = []
        self._waiting: OrderedDict[str, deque[asyncio.Future[KeptProcess]]] = OrderedDict()
        """Waiting runs by application, the next one first. Their number is bounded by the attempts in flight."""
        self._held: Counter[str] = Counter()

    async def run(self, application_id: str, code: str, webhook: Mapping[str, object]) -> Said:
        """Run a script on a webhook, which may contain ``msgspec.Raw``. Raises ``TransformationError``."""
        worker = await self._turn(application_id)
        try:
            return await worker.in_thread(lambda: self._do(worker, code, webhook), self._threads)
        except NotStartedError as error:
            log.error("scripts.not_started", exit_code=error.exit_code)
            raise TransformationError("the process for scripts could not be started") from error
        finally:
            self._give_back(application_id, worker)

    def _do(self, worker: KeptProcess, code: str, webhook: Mapping[str, object]) -> Said:
        limits = self._limits
        job = {
            "code": code,
            "webhook": msgspec.json.encode(webhook).decode(),
            "memory": limits.memory_bytes,
            "seconds": limits.time_s,
            "output": limits.output,
        }
        return _said(worker.do(msgspec.json.encode(job), limits.time_s * SLOWLY + 0.5))

    async def close(self) -> None:
        """Stop all processes; scripts may be run again afterwards."""
        for worker in self._all:
            worker.interrupt()
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        for worker in self._all:
            await asyncio.to_thread(worker.kill)
        self._all, self._free = [], []

    async def _turn(self, application_id: str) -> KeptProcess:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._limits.processes, "webhook-engine-scripts")
            self._all = [KeptProcess(_PROGRAM) for _ in range(self._limits.processes)]
            self._free = list(self._all)
        turn: asyncio.Future[KeptProcess] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(application_id, deque()).append(turn)
        self._hand_out()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(application_id, turn.result())
            raise

    def _hand_out(self) -> None:
        most = max(1, self._limits.processes // 2)
        while self._free:
            for application_id, line in self._waiting.items():
                while line and line[0].done():
                    line.popleft()
                if line and self._held[application_id] < most:
                    self._held[application_id] += 1
                    self._waiting.move_to_end(application_id)
                    line.popleft().set_result(self._free.pop())
                    break
            else:
                break
        for application_id in [key for key, line in self._waiting.items() if not line]:
            del self._waiting[application_id]

    def _give_back(self, application_id: str, worker: KeptProcess) -> None:
        self._held[application_id] -= 1
        if not self._held[application_id]:
            del self._held[application_id]
        if worker in self._all:
            self._free.append(worker)
            self._hand_out()


def _said(reply: bytes | None) -> Said:
    if reply is None:
        raise TransformationError("the script took too long", timed_out=True)
    try:
        read = msgspec.json.decode(reply, type=_Reply)
        if read.text is None:
            error = read.error or "it said nothing"
            raise TransformationError(f"the script failed: {error}", timed_out=error == "it took too long")
        said = msgspec.json.decode(read.text, type=Said)
        return msgspec.structs.replace(said, same=read.same, size=len(read.text))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise TransformationError("the script returned what is no webhook") from None
