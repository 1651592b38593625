"""An engine for tests: on a temporary file, allowed to send to this machine, with a clock that the test moves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from webhook_engine.clock import Clock, ManualClock, microseconds, span
from webhook_engine.config.loading import Config
from webhook_engine.engine import Engine
from webhook_engine.sync import SyncEngine

__all__ = ["temporary_engine", "temporary_sync_engine", "travel"]

_FOR_TESTS: dict[str, object] = {
    "allow_subnets": ["127.0.0.0/8", "::1/128"],
    "jitter": 0,  # so that retries come when the schedule says
    "security__main_secret": "a main secret for tests",
    "auth__jwt_secret": "a secret for the tokens of tests",
}
LONGEST_WAIT_S = 10.0


@asynccontextmanager
async def temporary_engine(*, clock: Clock | None = None, **settings: object) -> AsyncIterator[Engine]:
    """A running engine on a temporary file, with settings as for ``Engine.open``.

    It may send to receivers on this machine, and retries without jitter. ``clock`` is the system's by default.
    """
    if _prepared.path is None:
        with _database() as path:
            async with Engine(_config(path)):
                pass
            _prepared.keep(path)
    with _database() as path:
        async with Engine(_config(path, settings), clock=clock) as engine:
            yield engine


@contextmanager
def temporary_sync_engine(*, clock: Clock | None = None, **settings: object) -> Iterator[SyncEngine]:
    """Like :func:`temporary_engine`, for tests without an event loop."""
    if _prepared.path is None:
        with _database() as path:
            with SyncEngine(_config(path)):
                pass
            _prepared.keep(path)
    with _database() as path, SyncEngine(_config(path, settings), clock=clock) as engine:
        yield engine


async def travel(engine: Engine, clock: ManualClock, by: timedelta | float = 0.0, **units: float) -> None:
    """Let time pass as ``clock.advance`` does, but stop whenever a retry is due, and wait until it is made.

    So the whole retry schedule runs as in real time, within milliseconds. Returns when everything that was due is done.
    """
    ends_at = clock.now() + microseconds(span(by, **units))
    await engine.join(LONGEST_WAIT_S)
    while (due_at := (await engine.services.store.upkeep.figures(1)).oldest_due_at) is not None and due_at <= ends_at:
        clock.advance(timedelta(microseconds=max(0, due_at - clock.now())))
        await engine.join(LONGEST_WAIT_S)
    clock.advance(timedelta(microseconds=ends_at - clock.now()))
    await engine.join(LONGEST_WAIT_S)


def _config(path: Path, settings: Mapping[str, object] = MappingProxyType({})) -> Config:
    return Config.for_database(path, **{**_FOR_TESTS, **settings})


class _Prepared:
    """An empty database with its schema, made once in a process and copied for each test, which is faster."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path | None:
        """Its path; ``None`` until it is made."""
        return None if self._folder is None else Path(self._folder.name) / _NAME

    def keep(self, database: Path) -> None:
        """Keep a copy of a new database that is closed."""
        folder = tempfile.TemporaryDirectory(prefix="webhook-engine-")
        shutil.copyfile(database, Path(folder.name) / _NAME)
        self._folder = folder


_NAME = "webhooks.db"
_prepared = _Prepared()


@contextmanager
def _database() -> Iterator[Path]:
    """The path of a new database in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="webhook-engine-") as folder:
        path = Path(folder) / _NAME
        if _prepared.path is not None:
            shutil.copyfile(_prepared.path, path)
        yield path
