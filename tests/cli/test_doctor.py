"""``webhook-engine doctor``: what it finds, what it advises, and how it exits."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import program
import pytest
import receivers
from commands import run

from webhook_engine import Config, Engine
from webhook_engine.cli import doctor as checks
from webhook_engine.delivery.troubles import Lack

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with its secrets."""
    async with Engine.open(tmp_path / "a.db") as engine:
        await engine.applications.create(name="x")
    return tmp_path / "a.db"


def findings(path: Path, code: int, run: Run = run, **environment: str) -> dict[str, list[dict[str, str]]]:
    done = run("doctor", "--offline", "--json", WEBHOOK_ENGINE_STORE__URL=f"sqlite:///{path}", **environment)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(done.stdout):
        assert finding["level"] == "ok" or finding["advice"]
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_all_is_well(path: Path) -> None:
    found = findings(path, 0)
    assert set(found) - {"file system", "memory", "local ports", "running engine", "write-ahead log"} == {
        "configuration", "database", "secrets", "disk", "open files", "TLS roots", "delivery", "clock",
    }  # fmt: skip
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


class Disk(NamedTuple):
    free: int


@pytest.mark.parametrize(("free", "level"), [(99_000_000, "error"), (999_000_000, "warning"), (2_000_000_000, "ok")])
def test_a_disk_that_fills_up(path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free))
    [finding] = checks._space(Config.for_database(path))
    assert finding.level == level
    assert ("retention.payload" in finding.advice) is (level != "ok")


def test_too_few_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    [finding] = checks._files(Config.for_database(path))
    assert finding.level == "warning"
    assert "LimitNOFILE" in finding.advice


@pytest.mark.parametrize(
    ("kind", "level", "word"), [("ext4", "ok", ""), ("nfs4", "warning", "locks"), ("overlay", "warning", "deleted")]
)
def test_the_file_system_of_the_database(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: str, word: str
) -> None:
    mounts = path.with_name("mounts")
    monkeypatch.setattr(checks, "MOUNTS", mounts)
    assert list(checks._file_system(Config.for_database(path))) == []
    mounts.write_text(f"27 1 0:1 / / rw - tmpfs none rw\n28 27 0:2 / {path.parent.resolve()} rw - {kind} x rw\n")
    [finding] = checks._file_system(Config.for_database(path))
    assert finding.level == level
    assert f" on {kind}" in finding.what
    assert word in finding.what
    assert ("store.url" in finding.advice) is (level != "ok")


async def test_a_reader_that_keeps_the_log_growing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LARGE_LOG", 20_000_000)  # the engine writes it back at 16 MB

    async def written() -> list[checks.Finding]:
        async with Engine.open(path) as engine:
            application = await engine.applications.create(name="y")
            for _ in range(40):
                await engine.messages.create(application.id, event_type="a", payload={"x": "y" * 1_000_000})
            return list(checks._log(Config.for_database(path)))

    assert list(checks._log(Config.for_database(path))) == []
    [finding] = await written()
    assert finding.level == "ok"
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM webhook_message").fetchall()
        [finding] = await written()
    assert finding.level == "warning"
    assert "lsof" in finding.advice


@pytest.mark.parametrize(("ahead_s", "level"), [(600, "warning"), (0, "ok"), (-600, "ok")])
def test_a_clock_that_was_set_back(path: Path, monkeypatch: pytest.MonkeyPatch, ahead_s: int, level: str) -> None:
    seen_at = checks.clock_last_seen(path)
    assert seen_at is not None
    monkeypatch.setattr(time, "time", lambda: seen_at / 1_000_000 - ahead_s)
    [finding] = checks._past(Config.for_database(path))
    assert finding.level == level


def test_a_database_that_has_seen_no_clock(tmp_path: Path) -> None:
    assert list(checks._past(Config.for_database(tmp_path / "none.db"))) == []
    with closing(sqlite3.connect(tmp_path / "b.db")) as db, db:
        db.execute("CREATE TABLE webhook_schema (version INTEGER)")
    assert list(checks._past(Config.for_database(tmp_path / "b.db"))) == []


@pytest.mark.parametrize(
    ("script", "levels"),
    [("echo yes", ["ok"]), ("echo no", ["warning"]), ("exit 1", []), ("echo perhaps", []), (None, [])],
)
def test_what_the_system_says_of_its_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, levels: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "timedatectl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "timedatectl").chmod(0o755)
    assert [finding.level for finding in checks._synchronised(Config())] == levels


@pytest.mark.parametrize(("free", "level"), [(100_000, "warning"), (900_000, "ok")])
def test_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(checks, "MEMORY", tmp_path / "meminfo")
    assert list(checks._memory(Config())) == []
    checks.MEMORY.write_text(f"MemTotal: 9 kB\nMemAvailable:   {free} kB\n")
    [finding] = checks._memory(Config())
    assert finding.level == level


@pytest.mark.parametrize(("span", "level"), [("32768\t33000", "warning"), ("32768\t60999", "ok")])
def test_few_local_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, span: str, level: str) -> None:
    monkeypatch.setattr(checks, "PORTS", tmp_path / "range")
    assert list(checks._ports(Config())) == []
    checks.PORTS.write_text(f"{span}\n")
    [finding] = checks._ports(Config())
    assert finding.level == level


async def test_a_running_engine_tells_what_it_lacks(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path / 'socket'}"
    config = Config.for_database(tmp_path / "a.db", server__listen=listen)
    assert list(await asyncio.to_thread(lambda: list(checks._engine(config)))) == []
    async with Engine(config) as engine, engine.serve():
        found = await asyncio.to_thread(lambda: list(checks._engine(config)))
        assert [finding.level for finding in found] == ["ok", "ok"]
        engine.measures.troubles.met(Lack.DESCRIPTORS, "Too many open files", engine.services.clock.now())
        _, deliveries = await asyncio.to_thread(lambda: list(checks._engine(config)))
    assert deliveries.level == "error"
    assert "the engine lacks descriptors: Too many open files" in deliveries.what
    assert "engine.lacks" in deliveries.advice


@pytest.mark.parametrize(("status", "word"), [(407, "407"), (None, "cannot be reached")])
async def test_a_proxy_that_does_not_let_the_engine_through(status: int | None, word: str) -> None:
    async with receivers.proxy(refuse=status) as proxy:
        url = proxy.url.removesuffix("/hook")
        if status is not None:
            found = await asyncio.to_thread(lambda: list(checks._proxy(Config(delivery={"proxy": url}))))
    if status is None:
        found = await asyncio.to_thread(lambda: list(checks._proxy(Config(delivery={"proxy": url}))))
    [finding] = found
    assert finding.level == "error"
    assert word in finding.what


def test_no_roots_to_check_certificates_with(path: Path) -> None:
    # Once a process has looked for them, it may know them.
    found = findings(path, 1, program.run, SSL_CERT_FILE="/dev/null", SSL_CERT_DIR="/nowhere")
    assert "ca-certificates" in found["TLS roots"][0]["advice"]


def test_a_database_of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may do anything, and the tests may be run by root.
    monkeypatch.setattr(os, "access", lambda *_: False)
    [finding] = checks._database(Config.for_database(path))
    assert finding.level == "error"
    assert "chown" in finding.advice


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    found = findings(tmp_path / "none" / "a.db", 1)
    assert "Make the directory" in found["database"][0]["advice"]


@contextmanager
def clock_that_says(date: str) -> Iterator[str]:
    """The URL of a server whose answers have this date."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(200)
            self.send_header("date", date)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("date", "level", "word"),
    [
        ("Thu, 01 Jan 2026 00:00:00 GMT", "error", "timedatectl set-ntp"),
        ("some day", "warning", "timedatectl"),
    ],
)
def test_a_wrong_clock(path: Path, monkeypatch: pytest.MonkeyPatch, date: str, level: str, word: str) -> None:
    with clock_that_says(date) as url:
        monkeypatch.setattr(checks, "CLOCK_HOST", url)
        [finding] = checks._clock(Config.for_database(path))
    assert finding.level == level
    assert word in finding.advice


def test_a_right_clock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with clock_that_says(formatdate(usegmt=True)) as url:
        monkeypatch.setattr(checks, "CLOCK_HOST", url)
        [finding] = checks._clock(Config.for_database(path))
    assert finding.level == "ok"
