"""A backup holds all that an engine needs to go on as before, and is made while one runs."""

from __future__ import annotations

import asyncio
import stat
import tarfile
from pathlib import Path

import pytest
from engines import acme, local_engine, send, send_many
from receivers import Receiver
from stores import query

from webhook_engine import Config, StoreError, Webhook
from webhook_engine.backup import back_up, restore


def config(path: Path) -> Config:
    return Config.for_database(path)


async def test_a_restored_engine_signs_as_before(tmp_path: Path) -> None:
    old, new, file = tmp_path / "old" / "a.db", tmp_path / "new" / "b.db", tmp_path / "backup"
    old.parent.mkdir()
    new.parent.mkdir()
    async with Receiver() as receiver:
        async with local_engine(old) as engine:
            endpoint = await acme(engine, receiver.url)
            secret = await engine.endpoints.get_secret("acme", endpoint.id)
            before = await send(engine)
            await engine.join(timeout=5)
            creating = asyncio.create_task(send_many(engine, 200))
            saved = await asyncio.to_thread(back_up, config(old), file)
            await creating
            await engine.join(timeout=10)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert saved.secrets == ["main_secret"]
        assert saved.missing == []
        restore(config(new), file)
        assert stat.S_IMODE((tmp_path / "new" / "b.db.main_secret").stat().st_mode) == 0o600
        assert query(new, "PRAGMA auto_vacuum") == [(2,)]
        async with local_engine(new) as engine:
            assert (await engine.messages.get("acme", before)).id == before
            await send(engine)
            await engine.join(timeout=10)
        last = receiver.requests[-1]
        Webhook(secret).verify(last.body, last.headers)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "new", "old"]


async def test_nothing_is_replaced(tmp_path: Path) -> None:
    path, file = tmp_path / "a.db", tmp_path / "backup"
    async with local_engine(path):
        pass
    back_up(config(path), file)
    with pytest.raises(StoreError, match="there is a file already"):
        back_up(config(path), file)
    with pytest.raises(StoreError, match="is there already"):
        restore(config(path), file)
    path.unlink()
    with pytest.raises(StoreError, match="main_secret is there already"):
        restore(config(path), file)
    assert not path.exists()


async def test_what_is_no_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path, file, damaged = tmp_path / "a.db", tmp_path / "backup", tmp_path / "damaged"
    async with local_engine(path) as engine:
        await engine.applications.create(name="x")
    back_up(config(path), file)
    content = bytearray(file.read_bytes())
    content[-40_000:-20_000] = b"\xff" * 20_000
    damaged.write_bytes(content)
    other = tmp_path / "other"
    with tarfile.open(other, "w") as archive:
        archive.add(path, "../database")
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"no archive")
    target = tmp_path / "restored"
    target.mkdir()
    for source in (damaged, other, rubbish):
        with pytest.raises(StoreError):
            restore(config(target / "a.db"), source)
        assert list(target.iterdir()) == []
