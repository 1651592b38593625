"""One engine for one file, over processes, links and deaths."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from records import World

from webhook_engine.errors import EngineAlreadyRunningError, StoreUnavailableError
from webhook_engine.store.sqlite import SqliteStore, lock

HOLD = """
import asyncio, os, sys, time
from pathlib import Path
from webhook_engine.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    print("open", flush=True)
    if "fork" in sys.argv and os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    await asyncio.sleep(600)

asyncio.run(main())
"""

ROOT = Path(__file__).parents[3]


def spoil(path: Path) -> None:
    path.write_bytes(b"this is no database, but a text that is long enough to be taken for a page" * 100)


@contextmanager
def holder(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process with an open store."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


async def test_the_error_names_the_holder(sqlite_store: SqliteStore, path: Path) -> None:
    with pytest.raises(EngineAlreadyRunningError) as caught:
        await SqliteStore(path).open()
    text = str(caught.value)
    assert str(path) in text
    assert f"process {os.getpid()} on {socket.gethostname()}" in text
    assert World(sqlite_store)


async def test_another_process_is_named_too(path: Path) -> None:
    with holder(path) as process, pytest.raises(EngineAlreadyRunningError, match=f"process {process.pid} on"):
        await SqliteStore(path).open()


async def test_a_process_that_was_killed_holds_nothing(path: Path) -> None:
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads(path.with_name("webhooks.db.lock").read_text())["pid"] == process.pid
        store = SqliteStore(path)
        await store.open()
        await World(store).pair()
        await store.close()


async def test_a_link_does_not_lead_past_the_lock(sqlite_store: SqliteStore, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(EngineAlreadyRunningError):
        await SqliteStore(link).open()
    assert World(sqlite_store)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names for files that the system keeps")


@linux_only
async def test_a_hard_link_does_not_either(sqlite_store: SqliteStore, path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.hardlink_to(path)
    with pytest.raises(EngineAlreadyRunningError, match=rf"process {os.getpid()}.* a hard link"):
        await SqliteStore(link).open()
    assert sorted(one.name for one in link.parent.iterdir()) == ["link.db", "link.db.lock"]
    await World(sqlite_store).pair()


@linux_only
async def test_nor_does_one_in_another_process(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    with holder(path) as process:
        link.hardlink_to(path)
        with pytest.raises(EngineAlreadyRunningError, match=rf"process {process.pid}, which has it by another name"):
            await SqliteStore(link).open()
        process.kill()
        process.wait()
    # Who is gone holds nothing, under whatever name.
    store = SqliteStore(link)
    await store.open()
    await store.close()


@linux_only
async def test_a_forked_child_does_not_keep_the_other_names_either(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    with holder(path, "fork") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        link.hardlink_to(path)
        try:
            with pytest.raises(EngineAlreadyRunningError, match=f"process {process.pid}"):
                await SqliteStore(link).open()
            process.kill()
            process.wait()
            store = SqliteStore(link)
            await store.open()
            await store.close()
        finally:
            os.kill(child, signal.SIGKILL)


@linux_only
async def test_a_stranger_who_took_the_name_of_a_file_does_not_keep_its_owner_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    status = path.stat()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.bind(f"\0webhook-engine/{status.st_dev:x}/{status.st_ino:x}")
        stranger.listen(1)
        monkeypatch.setattr(lock, "_lives", lambda _process: False)
        store = SqliteStore(path)
        await store.open()
        await store.close()


async def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore(Path("webhooks.db"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.open()
    await store.close()
    assert (tmp_path / "webhooks.db").exists()


async def test_a_forked_child_does_not_keep_the_lock_of_a_dead_parent(path: Path) -> None:
    with holder(path, "fork") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            store = SqliteStore(path)
            await store.open()
            await store.close()
        finally:
            os.kill(child, signal.SIGKILL)


async def test_a_forked_child_takes_nothing_from_its_parent(path: Path) -> None:
    with holder(path, "fork") as process:
        assert process.stdout is not None
        os.kill(int(process.stdout.readline()), signal.SIGKILL)
        with pytest.raises(EngineAlreadyRunningError, match=f"process {process.pid} on"):
            await SqliteStore(path).open()


async def test_a_lock_is_free_at_once_whoever_was_forked(path: Path) -> None:
    store = SqliteStore(path)
    for _ in range(5):
        await store.open()
        child = os.fork()
        if child == 0:
            os._exit(0)
        await store.close()
        await asyncio.to_thread(os.waitpid, child, 0)


async def test_an_unreadable_holder_is_still_a_holder(sqlite_store: SqliteStore, path: Path) -> None:
    path.with_name("webhooks.db.lock").write_text("rubbish")
    with pytest.raises(EngineAlreadyRunningError, match="just starting or stopping"):
        await SqliteStore(path).open()
    assert World(sqlite_store)


async def test_a_failed_opening_lets_go_and_can_be_repeated(path: Path) -> None:
    spoil(path)
    store = SqliteStore(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="not a database"):
            await store.open()
    os.unlink(path)
    await store.open()
    await World(store).pair()
    await store.close()


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "webhooks.db"
    with pytest.raises(StoreUnavailableError, match="check that the directory exists") as caught:
        await SqliteStore(path).open()
    assert str(path) in str(caught.value)
