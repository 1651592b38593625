"""Files that are removed, moved or replaced under a running engine: noticed, and nothing is accepted meanwhile."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from records import World

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.sqlite import SqliteStore


def remove(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    draft = path.with_name("draft.db")
    shutil.copy(path, draft)
    draft.replace(path)


def remove_the_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def remove_the_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "webhooks.db"


@pytest.mark.parametrize("harm", [remove, move, replace, remove_the_log, remove_the_directory])
async def test_nothing_is_accepted_that_would_be_lost(
    sqlite_store: SqliteStore, path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    world = World(sqlite_store)
    _, endpoint = await world.pair()
    await world.send(endpoint)
    harm(path)
    with caplog.at_level(logging.CRITICAL, "webhook_engine.store"):
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="was removed, moved or replaced") as caught:
                await world.send(endpoint)
    assert caught.value.reason == "the database file was removed or replaced"
    assert len(caplog.records) == 1
    with pytest.raises(StoreUnavailableError, match="was removed, moved or replaced"):
        await sqlite_store.upkeep.check(1)
    # What is there can still be read.
    assert await sqlite_store.endpoints.load(endpoint.endpoint.id) is not None


async def test_what_was_stored_while_the_file_went_is_not_said_to_be_kept(
    sqlite_store: SqliteStore, path: Path
) -> None:
    with pytest.raises(StoreUnavailableError, match="was removed"):
        await sqlite_store.database.write(lambda _session: path.unlink())


async def test_it_is_noticed_without_a_write(
    sqlite_store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    with caplog.at_level(logging.CRITICAL, "webhook_engine.store"):
        await sqlite_store.database.changed()
    assert "was removed" in caplog.text


async def test_it_goes_on_when_the_file_is_back(sqlite_store: SqliteStore, path: Path) -> None:
    world = World(sqlite_store)
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    with pytest.raises(StoreUnavailableError):
        await world.pair()
    elsewhere.rename(path)
    await World(sqlite_store).pair()
    await sqlite_store.upkeep.check(1)


async def test_a_check_costs_one_write_however_many_ask(sqlite_store: SqliteStore) -> None:
    commits = sqlite_store.database.commits
    await asyncio.gather(*(sqlite_store.upkeep.check(5) for _ in range(50)))
    assert sqlite_store.database.commits == commits + 1
