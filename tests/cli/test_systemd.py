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

from webhook_engine.cli.commands import app
from webhook_engine.cli.systemd import hidden


@pytest.fixture(params=["webhook-engine.service", "webhook-engine@.service"])
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    printed = run("systemd", "print", *(["--instances"] if "@" in request.param else []))
    assert printed.returncode == 0
    path = tmp_path / request.param
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


def test_each_instance_has_its_port_and_all_have_one_database_and_its_secrets() -> None:
    """Not a file for each: with ``DynamicUser`` alone each instance would be another user, who may not read them."""
    lines = run("systemd", "print", "--instances").stdout.splitlines()
    assert "Environment=WEBHOOK_ENGINE_SERVER__LISTEN=127.0.0.1:%i" in lines
    assert "EnvironmentFile=/etc/webhook-engine/environment" in lines
    assert "EnvironmentFile=-/etc/webhook-engine/environment.%i" in lines
    assert "User=webhook-engine" in lines
    assert "StateDirectory=webhook-engine" in lines
    assert not [line for line in lines if "sqlite" in line]


def test_the_template_is_installed_beside_the_unit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("webhook_engine.cli.systemd.UNIT_DIRECTORY", tmp_path)
    monkeypatch.setattr("webhook_engine.cli.systemd._program", lambda: "/opt/webhook-engine/bin/webhook-engine")
    monkeypatch.setattr(sys, "prefix", "/opt/webhook-engine")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = CliRunner().invoke(app, ["systemd", "install", "--instances"])
    assert done.exit_code == 0
    assert "now: systemctl enable --now webhook-engine@8071 webhook-engine@8072" in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["webhook-engine@.service"]


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
