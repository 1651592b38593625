"""Daemons that are started at once on an empty database, as a deployment does it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from daemons import daemon, token

from webhook_engine.config.sections import StoreConfig
from webhook_engine.store.members import SHARDS, Member
from webhook_engine.store.opening import find_members


@pytest.mark.slow
async def test_two_daemons_start_at_once_on_an_empty_database(
    server: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them makes schema, tables and secrets, the other one waits; then both serve, and share the endpoints."""
    settings = {
        "WEBHOOK_ENGINE_STORE__URL": server,
        "WEBHOOK_ENGINE_STORE__SCHEMA": schema,
        "WEBHOOK_ENGINE_LOG__FORMAT": "json",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    async def members() -> Sequence[Member]:
        return await find_members(StoreConfig(url=server, schema=schema))

    first, second = daemon(tmp_path), daemon(tmp_path)
    running = await asyncio.gather(first.__aenter__(), second.__aenter__())
    try:
        async with asyncio.timeout(30):
            while len(held := [one.shards for one in await members()]) < 2 or 0 in held or sum(held) != SHARDS:
                await asyncio.sleep(0.1)
        assert (await token(tmp_path)).count(".") == 2
        assert [await one.end() for one in running] == [0, 0]
        assert await members() == []
    finally:
        await first.__aexit__(None, None, None)
        await second.__aexit__(None, None, None)
