"""The engine of a program on the command line: ``--app module:name``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run

PROGRAM = """
from webhook_engine import Config, Engine, SharedEngine, SyncEngine, SyncSharedEngine

settings = {"auth__jwt_secret": "a secret of the tests that is long enough"}
engine = Engine.open("shop.db", retry_schedule=["7s"])
shared = SharedEngine.open("shop.db", retry_schedule=["7s"])
sync = SyncEngine.open("shop.db", retry_schedule=["7s"])
sync_shared = SyncSharedEngine.open("shop.db", retry_schedule=["7s"])
config = Config(store={"url": "sqlite:///shop.db"}, delivery={"retry_schedule": ["7s"]})

class App:
    webhooks = engine

def make():
    return Engine.open("shop.db", retry_schedule=["7s"])

def make_from(path):
    return Engine.open(path)

number = 1
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program with engines, in the working directory."""
    (tmp_path / "shop.py").write_text(PROGRAM, "utf-8")
    (tmp_path / "broken.py").write_text("import not_installed_anywhere\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for module in ("shop", "broken"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("name", ["engine", "shared", "sync", "sync_shared", "config", "make", "App.webhooks"])
@pytest.mark.usefixtures("shop")
def test_whatever_knows_a_configuration_can_be_named(name: str) -> None:
    shown = run("--app", f"shop:{name}", "check-config", "--json")
    assert shown.returncode == 0, shown.stderr
    settings = json.loads(shown.stdout)
    assert settings["delivery.retry_schedule"]["value"] == ["7s"]
    assert settings["store.url"]["value"].endswith("shop.db")


@pytest.mark.slow
def test_the_commands_that_work_on_files_take_those_of_the_program(shop: Path) -> None:
    app = ("--app", "shop:engine")
    assert run(*app, "token").stdout.count(".") == 2
    made = shop / "fill.py"
    made.write_text("import asyncio, shop\nasync def main():\n    async with shop.engine: pass\nasyncio.run(main())\n")
    subprocess.run([sys.executable, str(made)], check=True)
    assert "0 waiting" in run(*app, "outbox", "list").stdout
    assert run(*app, "backup", "kept.tar").returncode == 0
    assert run(*app, "rotate", "main-secret").returncode == 0
    checked = run(*app, "doctor", "--offline", "--json")
    assert any("shop.db" in finding["what"] for finding in json.loads(checked.stdout)), checked.stdout
    for path in shop.glob("shop.db*"):
        path.unlink()
    assert run(*app, "restore", "kept.tar").returncode == 0
    assert (shop / "shop.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--app", "shop", "token"), "module:name"),
        (("--app", "nowhere:engine", "token"), "nowhere cannot be imported"),
        (("--app", "shop:missing", "token"), "shop has no missing"),
        (("--app", "shop:number", "token"), "is int"),
        (("--app", "shop:make_from", "token"), "without arguments"),
        (("--app", "broken:engine", "token"), "broken cannot be imported: No module named 'not_installed_anywhere'"),
        (("--app", "shop:engine", "serve"), "--app is for"),
        (("--app", "shop:engine", "token", "--config", "x.toml"), "both name a configuration"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_cannot_be_meant_is_said(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode != 0
    assert said in done.stderr.replace("\n", " "), done.stderr
    assert "Traceback" not in done.stderr
