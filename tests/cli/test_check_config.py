"""``webhook-engine check-config``: what holds, where it came from, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

from commands import run
from program import run_on_terminal

from webhook_engine import Config

SECRET = "this is the main secret"


def test_every_setting_is_shown_with_its_source(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[delivery]\ntimeout = "3s"\n')
    done = run("check-config", "--config", str(file), WEBHOOK_ENGINE_DELIVERY__JITTER="0.5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == len(list(Config().effective()))
    assert f'delivery.timeout = "3s"  # {file}' in lines
    assert "delivery.jitter = 0.5  # environment WEBHOOK_ENGINE_DELIVERY__JITTER" in lines
    assert 'store.url = "sqlite:///webhook-engine.db"  # default' in lines


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[log]\nlevel = 'debug'\n")
    assert f'log.level = "debug"  # {file}' in run("check-config", WEBHOOK_ENGINE_CONFIG=str(file)).stdout


def test_secrets_are_masked() -> None:
    for arguments in (["check-config"], ["check-config", "--json"]):
        done = run(*arguments, WEBHOOK_ENGINE_SECURITY__MAIN_SECRET=SECRET)
        assert done.returncode == 0
        assert "********" in done.stdout
        assert SECRET not in done.stdout


def test_for_programs_there_is_json() -> None:
    done = run("check-config", "--json", WEBHOOK_ENGINE_DELIVERY__RETRY_SCHEDULE='["1ms", "2s"]')
    settings = json.loads(done.stdout)
    assert settings["delivery.retry_schedule"] == {
        "value": ["1ms", "2s"],
        "source": "environment WEBHOOK_ENGINE_DELIVERY__RETRY_SCHEDULE",
    }
    assert settings["delivery.proxy"] == {"value": None, "source": "default"}
    assert settings["delivery.max_in_flight"]["value"] == 512
    assert settings["server.api"]["value"] is True


def test_each_problem_has_a_line_and_the_exit_code_is_two(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[delivery]\nretries = 3\njitter = 7\n")
    done = run("check-config", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: delivery.") and str(file) in line for line in lines)


def test_a_missing_file_is_named() -> None:
    done = run("check-config", "--config", "nowhere.toml")
    assert done.returncode == 2
    assert "nowhere.toml cannot be read" in done.stderr


def test_on_a_terminal_it_is_a_table() -> None:
    done = run_on_terminal("check-config", WEBHOOK_ENGINE_OUTBOX__SOURCES='["sqlite:///[a]/b.db"]')
    assert done.returncode == 0
    assert "\x1b[1m[delivery]\x1b[0m" in done.stdout
    assert '["sqlite:///[a]/b.db"]' in done.stdout
    assert "\x1b[32menvironment\x1b[0m" in done.stdout
