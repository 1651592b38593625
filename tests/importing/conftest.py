"""An engine to take over into, and servers that answer as other products do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import database_servers
import pytest

from webhook_engine import SyncEngine
from webhook_engine.importing.source import Source
from webhook_engine.importing.transfer import Report, transfer
from webhook_engine.resources.imported import ImportedBatch, ImportOutcome

TOKEN = "secret-token"

Answer = Callable[[dict[str, str]], Any]
"""From the query to a JSON value, or to status and body."""


class Recorded:
    """A server with recorded answers, by path; what it has none for is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                recorded.asked.append(self.path)
                status, body = recorded.answer(
                    parts.path, dict(parse_qsl(parts.query)), self.headers.get("authorization", "")
                )
                with suppress(ConnectionError):  # a client may be killed meanwhile
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()

    def answer(self, path: str, query: dict[str, str], authorization: str) -> tuple[int, bytes]:
        if authorization != f"Bearer {TOKEN}":
            return 401, b'{"code":"authentication_failed","detail":"Invalid token"}'
        if path not in self.answers:
            return 404, b""
        value = self.answers[path](query)
        if isinstance(value, tuple):
            return value
        return 200, value if isinstance(value, bytes) else json.dumps(value).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class EngineTarget:
    def __init__(self, engine: SyncEngine) -> None:
        self.engine = engine
        self.batches: list[ImportedBatch] = []

    def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
        self.batches.append(batch)
        return self.engine.imports.take(batch, dry_run=dry_run, update=update)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    server = Recorded()
    yield server
    server.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SyncEngine]:
    with SyncEngine.open(tmp_path / "webhooks.db") as running:
        yield running


@pytest.fixture
def target(engine: SyncEngine) -> EngineTarget:
    return EngineTarget(engine)


def taken(source: Source, target: EngineTarget, *, dry_run: bool = False, **more: Any) -> Report:
    """Take everything over, and the report."""
    report = Report(source=source.name, dry_run=dry_run)
    transfer(source, target, report, **more)
    return report


def notes(report: Report) -> dict[str, list[str]]:
    return {one.text: one.examples for one in report.notes}


def counts(report: Report) -> dict[str, dict[str, int]]:
    return {kind.value: {status.value: n for status, n in found.items()} for kind, found in report.counts.items()}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    with database_servers.postgresql() as url:
        yield url
