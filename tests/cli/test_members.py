"""``webhook-engine members``: which engines share a database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import typer
from database_servers import postgresql
from typer.testing import CliRunner

from webhook_engine import Config, Engine
from webhook_engine.cli.members import members
from webhook_engine.cli.terminal import CommandError
from webhook_engine.store.members import SHARDS


def shown(*arguments: str) -> str:
    alone = typer.Typer()
    alone.command()(members)
    result = CliRunner().invoke(alone, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


async def test_each_engine_is_shown_with_its_lease_and_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with postgresql() as url:
        monkeypatch.setenv("WEBHOOK_ENGINE_STORE__URL", url)
        monkeypatch.setenv("WEBHOOK_ENGINE_STORE__SCHEMA", "hooks")
        assert "There are none" in await in_a_thread()
        config = Config.for_database(url, store__schema="hooks")
        async with Engine(config) as engine:
            [member] = json.loads(await in_a_thread("--json"))["data"]
            assert member["shards"] == SHARDS
            assert member["share"] == 1
            assert 0 < member["leaseSeconds"] <= 5
            output = await in_a_thread()
            assert member["id"] in output
            assert "100.0%" in output
            assert engine.config.store.schema == "hooks"
        assert json.loads(await in_a_thread("--json")) == {"data": []}


def test_a_file_has_one_engine_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ENGINE_STORE__URL", f"sqlite:///{tmp_path / 'webhooks.db'}")
    with pytest.raises(CommandError, match="which one engine has at a time"):
        shown()


async def in_a_thread(*arguments: str) -> str:
    return await asyncio.to_thread(shown, *arguments)
