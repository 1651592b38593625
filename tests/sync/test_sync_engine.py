"""The engine without an event loop: the same managers, errors and events, from any thread."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from stores import about_the_file

from webhook_engine import (
    EndpointCreatedEvent,
    Engine,
    EngineAlreadyRunningError,
    EngineNotRunningError,
    NotFoundError,
)
from webhook_engine.sync import SyncEngine
from webhook_engine.sync.managers import managers_of, public_methods

LOOPBACK = ["127.0.0.1/32"]


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    bodies: list[bytes] = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.bodies = bodies  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_an_application_to_a_delivered_message(tmp_path: Path, receiver: HTTPServer) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db", allow_subnets=LOOPBACK) as engine:
        engine.applications.create(name="Acme", uid="acme")
        endpoint = engine.endpoints.create("acme", url=f"http://127.0.0.1:{receiver.server_port}/")
        message = engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
        engine.join(timeout=10)
        [attempt] = engine.attempts.list_by_message("acme", message.id).data
        assert attempt.response_status_code == 204
        assert attempt.endpoint_id == endpoint.id
        assert receiver.bodies == [b'{"id":1}']  # type: ignore[attr-defined]
    assert not engine.running


def test_walking_a_list_and_leaving_it_early(tmp_path: Path) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db") as engine:
        for number in range(5):
            engine.applications.create(name=f"Number {number}")
        assert [application.name for application in engine.applications.iterate()][-1] == "Number 4"
        for application in engine.applications.iterate():
            assert application.name == "Number 0"
            break


def test_errors_are_the_same(tmp_path: Path) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db") as engine, pytest.raises(NotFoundError):
        engine.applications.get("nobody")


@about_the_file
def test_a_file_has_one_engine(tmp_path: Path) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db"), pytest.raises(EngineAlreadyRunningError):
        SyncEngine.open(tmp_path / "webhooks.db").start()


def test_another_organization(tmp_path: Path) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db") as engine:
        other = engine.organization("org_other")
        other.applications.create(name="Acme", uid="acme")
        assert other.id == "org_other"
        with pytest.raises(NotFoundError):
            engine.applications.get("acme")


def test_many_threads_at_once(tmp_path: Path) -> None:
    with SyncEngine.open(tmp_path / "webhooks.db") as engine, ThreadPoolExecutor(8) as pool:
        engine.applications.create(name="Acme", uid="acme")

        def send(number: int) -> str:
            return engine.messages.create("acme", event_type="a.b", payload={"n": number}).id

        assert len(set(pool.map(send, range(100)))) == 100


def test_a_handler_may_use_the_engine(tmp_path: Path) -> None:
    engine = SyncEngine.open(tmp_path / "webhooks.db")
    seen: list[str] = []
    handled = threading.Event()

    @engine.on(EndpointCreatedEvent)
    def note(event: EndpointCreatedEvent) -> None:
        seen.append(engine.endpoints.get(event.application_id, event.endpoint_id).url)
        handled.set()

    with engine:
        engine.applications.create(name="Acme", uid="acme")
        engine.endpoints.create("acme", url="https://example.com/hooks")
        assert handled.wait(10)
    assert seen == ["https://example.com/hooks"]


def test_waiting_for_itself_on_its_own_thread_is_refused(tmp_path: Path) -> None:
    engine = SyncEngine.open(tmp_path / "webhooks.db")
    problems: list[BaseException] = []
    handled = threading.Event()

    @engine.on(EndpointCreatedEvent)
    async def note(event: EndpointCreatedEvent) -> None:
        try:
            engine.endpoints.get(event.application_id, event.endpoint_id)
        except EngineNotRunningError as error:
            problems.append(error)
        handled.set()

    with engine:
        engine.applications.create(name="Acme", uid="acme")
        engine.endpoints.create("acme", url="https://example.com/hooks")
        assert handled.wait(10)
    assert "own thread" in str(problems[0])


def test_use_outside_with_is_an_error_that_says_so(tmp_path: Path) -> None:
    engine = SyncEngine.open(tmp_path / "webhooks.db")
    with pytest.raises(EngineNotRunningError, match="with"):
        engine.applications.get("acme")
    engine.stop()


def test_it_can_be_started_again(tmp_path: Path) -> None:
    engine = SyncEngine.open(tmp_path / "webhooks.db")
    for _ in range(3):
        engine.start()
        engine.applications.get_or_create(name="Acme", uid="acme")
        engine.stop()
        engine.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "webhook-engine"]


def _in_child(engine: SyncEngine, said: multiprocessing.SimpleQueue[str]) -> None:
    try:
        engine.applications.get("acme")
    except EngineNotRunningError as error:
        said.put(str(error))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_is_told_what_to_do(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    said = fork.SimpleQueue()
    with SyncEngine.open(tmp_path / "webhooks.db") as engine:
        child = fork.Process(target=_in_child, args=(engine, said))
        child.start()
        child.join(10)
        assert "post_fork" in said.get()
        assert os.getpid()
        engine.applications.create(name="Acme")


def test_every_asynchronous_method_is_there_with_its_signature(tmp_path: Path) -> None:
    asynchronous, plain = Engine.open(tmp_path / "a.db"), SyncEngine.open(tmp_path / "b.db")
    names = managers_of(asynchronous)
    assert {"applications", "endpoints", "event_types", "messages", "attempts", "tasks"} <= set(names)
    for name, manager in names.items():
        for method, original in public_methods(type(manager)).items():
            derived = getattr(getattr(plain, name), method)
            assert not asyncio.iscoroutinefunction(derived)
            assert derived.__doc__ == original.__doc__
            assert list(inspect.signature(derived).parameters) == list(inspect.signature(original).parameters)[1:]
