"""What all commands have in common."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import command
from program import run

from webhook_engine import ConfigError, NotFoundError, __version__
from webhook_engine.cli import main
from webhook_engine.cli.commands import COMMANDS, app


def test_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"webhook-engine {__version__}\n")


def test_the_module_is_the_command() -> None:
    def as_module(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "webhook_engine", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert as_module("--version").stdout == f"webhook-engine {__version__}\n"
    assert "python -m webhook_engine" in as_module("--help").stdout
    wrong = as_module("check-config", "--config", "nowhere.toml")
    assert (wrong.returncode, wrong.stderr) == (2, run("check-config", "--config", "nowhere.toml").stderr)


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in ("demo", "check-config", "verify"):
        assert name in done.stdout


def test_without_a_command_it_shows_help_and_counts_as_wrong_usage() -> None:
    done = run()
    assert done.returncode == 2
    assert "check-config" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (NotFoundError("application", "acme"), 1, "there is no application 'acme' here"),
        (ConfigError("a.b = 1: one\nc.d = 2: two"), 2, "error: a.b = 1: one\nerror: c.d = 2: two\n"),
        (FileNotFoundError(2, "No such file or directory", "x.toml"), 1, "error: x.toml: No such file or directory"),
        (OSError("odd"), 1, "error: odd"),
        (KeyError("a bug"), 1, "a fault of the program: KeyError('a bug'); WEBHOOK_ENGINE_TRACEBACK=1 shows where"),
    ],
)
def test_failures_are_told_without_a_traceback(
    problem: Exception, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise problem

    monkeypatch.setattr("webhook_engine.cli.commands.app", fail)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    errors = capsys.readouterr().err
    assert words in errors
    assert "Traceback" not in errors


def test_a_fault_can_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ENGINE_TRACEBACK", "1")
    monkeypatch.setattr("sys.argv", ["webhook-engine", "check-config", "--config", "nowhere.toml"])
    with pytest.raises(ConfigError):
        main()
    assert app.info.name == "webhook-engine"


# What all of them have in common.


def test_the_list_of_commands_says_what_each_of_them_says() -> None:
    for name, (_, summary) in COMMANDS.items():
        done = command(name, "--help")
        assert done.code == 0
        assert re.split(r"[:;.]", summary)[0] in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], {"aiohttp", "asyncio", "msgspec", "pydantic", "rich", "webhook_engine.config.loading"}),
        (["--version"], {"aiohttp", "asyncio", "msgspec", "pydantic", "rich", "webhook_engine.config.loading"}),
        (["token"], {"aiohttp", "aiosqlite", "rich.console", "webhook_engine.engine"}),
        (["app", "--help"], {"aiosqlite", "webhook_engine.engine"}),
        (["serve", "--help"], {"aiohttp", "asyncio", "webhook_engine.engine"}),
    ],
)
def test_no_command_waits_for_what_it_does_not_need(arguments: list[str], unneeded: set[str], tmp_path: Path) -> None:
    program = (
        "import atexit, sys; from webhook_engine.cli import main;"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert unneeded & set(done.stderr.split()) == set()


def test_an_unknown_command_is_wrong_usage() -> None:
    assert command("aplication").code == 2
    assert command("app", "lst").code == 2
