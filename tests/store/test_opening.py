"""From a URL to a store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stores import about_the_file

from webhook_engine.config.sections import StoreConfig
from webhook_engine.errors import ConfigError
from webhook_engine.store.opening import open_store, outbox_writer
from webhook_engine.store.postgresql import PostgresqlStore
from webhook_engine.store.sqlite import SqliteStore


@about_the_file
def test_a_url_means_a_file_or_a_server(tmp_path: Path) -> None:
    assert isinstance(open_store(StoreConfig(url=f"sqlite:///{tmp_path}/a.db")), SqliteStore)
    assert isinstance(open_store(StoreConfig(url="postgresql:///test", schema="x")), PostgresqlStore)
    assert not list(tmp_path.iterdir())


def test_a_driver_that_is_not_installed_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("webhook_engine.store.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigError, match=r"asyncpg is not installed; pip install 'webhook-engine\[postgresql\]'"):
        open_store(StoreConfig(url="postgresql:///test"))


@about_the_file
async def test_the_outbox_of_a_file_is_written_wherever_the_process_is_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = StoreConfig(url="sqlite:///a.db")
    store = open_store(config)
    await store.open()
    write = outbox_writer(config)
    monkeypatch.chdir("/")
    insert = "INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('a', 'b', '{}')"
    assert write(lambda connection: str(connection.execute(insert).rowcount)) == "1"
    assert [row.event_type for row in await store.outbox.waiting(10)] == ["b"]
    await store.close()
