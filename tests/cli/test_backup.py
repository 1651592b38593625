"""The commands that back up and restore."""

from __future__ import annotations

from pathlib import Path

from commands import run


def test_the_commands(tmp_path: Path) -> None:
    there = {"WEBHOOK_ENGINE_STORE__URL": f"sqlite:///{tmp_path}/a.db"}
    done = run("backup", str(tmp_path / "file"), **there)
    assert done.returncode == 1
    assert "there is no database" in done.stderr
    done = run("restore", str(tmp_path / "file"), **there)
    assert done.returncode == 2
    assert "no such file" in done.stderr
