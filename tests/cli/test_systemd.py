"""The unit for systemd, against its own judgement."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run
from typer.testing import CliRunner

from webhook_engine.cli import app
from webhook_engine.cli.systemd import hidden


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    printed = run("systemd", "print")
    assert printed.returncode == 0
    path = tmp_path / "webhook-engine.service"
    path.write_text(printed.stdout)
    return path


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_unit_is_hardened(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    score = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) <= 2.0


def test_the_unit_names_the_configuration(tmp_path: Path) -> None:
    assert f"serve --config {tmp_path}/x.toml\n" in run("systemd", "print", "-c", str(tmp_path / "x.toml")).stdout


def test_a_program_that_the_unit_would_hide_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("webhook_engine.cli.systemd.UNIT_DIRECTORY", tmp_path)
    monkeypatch.setattr("webhook_engine.cli.systemd._program", lambda: "/opt/webhook-engine/bin/webhook-engine")
    monkeypatch.setattr(sys, "prefix", "/opt/webhook-engine")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert hidden(None) is None
    assert hidden(Path("/etc/webhook-engine/config.toml")) is None
    problem = hidden(Path("/home/somebody/config.toml"))
    assert problem is not None
    assert problem.startswith("/home/somebody/config.toml is hidden from the service")
    monkeypatch.setattr(sys, "prefix", "/root/venv")
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = CliRunner().invoke(app, ["systemd", "install"])
    assert done.exit_code == 0
    assert "but /root/venv is hidden from the service" in done.stderr
    monkeypatch.setattr(sys, "prefix", "/opt/webhook-engine")
    done = CliRunner().invoke(app, ["systemd", "install"])
    assert done.exit_code == 0
    assert "now: systemctl enable" in done.stderr
    assert (
        "ExecStart=/opt/webhook-engine/bin/webhook-engine serve\n" in (tmp_path / "webhook-engine.service").read_text()
    )
