"""``webhook-engine doctor``: what it finds, what it advises, and how it exits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from program import run

from webhook_engine import Engine


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with its secrets."""
    async with Engine.open(tmp_path / "a.db") as engine:
        await engine.applications.create(name="x")
    return tmp_path / "a.db"


def findings(path: Path, code: int, **environment: str) -> dict[str, list[dict[str, str]]]:
    done = run("doctor", "--offline", "--json", WEBHOOK_ENGINE_STORE__URL=f"sqlite:///{path}", **environment)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout):
        assert finding["level"] == "ok" or finding["advice"]
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_all_is_well(path: Path) -> None:
    found = findings(path, 0)
    assert set(found) == {"configuration", "database", "secrets", "disk", "open files", "TLS roots", "delivery"}
    assert found["delivery"][0]["level"] == "ok"


def test_a_secret_that_others_can_read(path: Path) -> None:
    path.with_name("a.db.main_secret").chmod(0o644)
    [main, _] = findings(path, 1)["secrets"]
    assert main["level"] == "error"
    assert "chmod 600" in main["advice"]


def test_a_secret_that_is_missing(path: Path) -> None:
    path.with_name("a.db.main_secret").unlink()
    assert "backup" in findings(path, 1)["secrets"][0]["advice"]


def test_a_damaged_database(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:-8192] = b"\xaa" * (len(content) - 16384)
    path.write_bytes(content)
    assert findings(path, 1)["database"][0]["level"] == "error"


def test_a_file_that_never_gets_smaller(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE webhook_schema (version INTEGER)")
    path.with_name("b.db.main_secret").write_text("x")
    path.with_name("b.db.main_secret").chmod(0o600)
    assert [each["level"] for each in findings(path, 0)["database"]] == ["ok", "warning"]


def test_a_wrong_configuration(tmp_path: Path) -> None:
    found = findings(tmp_path / "a.db", 2, WEBHOOK_ENGINE_DELIVERY__TIMEOUT="soon")
    assert list(found) == ["configuration"]


def test_people_get_lines(path: Path) -> None:
    done = run("doctor", "--offline", WEBHOOK_ENGINE_STORE__URL=f"sqlite:///{path}")
    assert done.returncode == 0
    assert "ok" in done.stdout
    assert "signed, sent, received and verified" in done.stdout
