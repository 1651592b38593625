"""An engine belongs to the event loop that it was started in; it may be started again in another one."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from aiohttp import ClientSession
from engines import acme, local_engine, send
from receivers import Receiver

from webhook_engine import Engine, EngineNotRunningError, SharedEngine

PRIMITIVES = (asyncio.Event, asyncio.Lock, asyncio.Semaphore, asyncio.Condition, asyncio.Queue, asyncio.Future)


def test_nothing_belongs_to_an_event_loop_before_the_start(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "e.db", outbox__sources=[f"sqlite:///{tmp_path}/other.db"])
    shared = SharedEngine.open(tmp_path / "s.db")
    server = engine.serve("127.0.0.1:0")
    found = [one for whole in (engine, shared, server) for one in _parts(whole) if isinstance(one, PRIMITIVES)]
    assert found == []


def test_an_engine_works_in_a_second_event_loop(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db")

    async def use() -> None:
        async with Receiver() as receiver, engine:
            crashed = asyncio.ensure_future(engine.crashed())
            if (await engine.applications.list()).data:
                [endpoint] = (await engine.endpoints.list("acme")).data
                await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
            else:
                await acme(engine, receiver.url)
            # More at once than there are readers and places in a commit, so that some wait for others.
            await asyncio.gather(*(send(engine) for _ in range(50)), *(_reads(engine) for _ in range(50)))
            await engine.join(timeout=20)
            assert len(receiver.requests) == 50
            assert not crashed.done()
            crashed.cancel()

    for _ in range(3):
        asyncio.run(use())


def test_a_server_works_in_a_second_event_loop(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db")
    server = engine.serve("127.0.0.1:0")

    async def use() -> None:
        async with engine, server, ClientSession() as session:

            async def look(path: str) -> int:
                async with session.get(server.url + path) as response:
                    await response.read()
                    return response.status

            # More at once than are let through, so that some wait for others.
            assert set(await asyncio.gather(*(look("/metrics") for _ in range(20)))) == {200}
            assert await look("/api/v1/health") in {200, 204}

    for _ in range(2):
        asyncio.run(use())


def test_a_shared_engine_works_in_a_second_event_loop(tmp_path: Path) -> None:
    shared = SharedEngine.open(tmp_path / "e.db")

    async def use() -> None:
        async with shared:
            leading = await asyncio.gather(*(shared.wait_until_leading(timeout=10) for _ in range(3)))
            await leading[0].applications.get_or_create(name="Acme", uid="acme")
            await shared.enqueue(application="acme", event_type="a.b", payload={})
            await leading[0].join(timeout=10)

    for _ in range(3):
        asyncio.run(use())


def test_a_shared_engine_lets_go_of_the_database_whatever_happened_to_it(tmp_path: Path) -> None:
    async def break_down() -> None:
        shared = SharedEngine.open(tmp_path / "e.db")
        await shared.start()
        await shared.wait_until_leading(timeout=10)

        async def fail() -> BaseException:
            raise RuntimeError("of no kind that anybody expects")

        shared.engine.crashed = fail  # type: ignore[method-assign]
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError, match="expects"):
            await shared.stop()

    asyncio.run(break_down())

    async def use_it() -> None:
        async with Engine.open(tmp_path / "e.db") as engine:
            await engine.applications.create(name="x")

    asyncio.run(use_it())


Call = Callable[[Engine], Awaitable[object]]


async def _create(engine: Engine) -> object:
    return await engine.messages.create("acme", event_type="a.b", payload={})


async def _reads(engine: Engine) -> object:
    return await asyncio.gather(engine.applications.list(), engine.messages.list("acme"))


async def _edit(engine: Engine) -> object:
    return await engine.applications.update("acme", name="Acme & Co")


async def _serve(engine: Engine) -> object:
    async with engine.serve("127.0.0.1:0"):
        return None


CALLS: list[Call] = [
    _create,
    _reads,
    _edit,
    _serve,
    lambda engine: engine.join(timeout=5),
    lambda engine: engine.stop(),
    lambda engine: engine.start(),
    lambda engine: engine.crashed(),
    lambda engine: engine.portal.url("acme"),
    lambda engine: engine.organization("org_other").event_types.list(),
]


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_from_another_loop_is_refused_at_once_and_harms_nothing(tmp_path: Path, call: Call) -> None:
    engine = local_engine(tmp_path / "e.db", server__public_url="https://hooks.example.com")
    async with Receiver() as receiver, engine:
        await acme(engine, receiver.url)
        await send(engine)  # what is in memory now needs no read
        await engine.join(timeout=5)
        for _ in range(10):
            error = await asyncio.to_thread(_elsewhere, call(engine))
            assert isinstance(error, EngineNotRunningError), error
            assert "another event loop" in str(error)
            assert threading.current_thread().name in str(error)
        await asyncio.gather(*(_reads(engine) for _ in range(20)))
        await send(engine)
        await engine.join(timeout=5)
        assert len(receiver.requests) == 2


async def test_a_shared_engine_refuses_another_loop(tmp_path: Path) -> None:
    async with SharedEngine.open(tmp_path / "e.db") as shared:
        for work in (shared.wait_until_leading(5), shared.stop(), shared.start()):
            error = await asyncio.to_thread(_elsewhere, work)
            assert isinstance(error, EngineNotRunningError), error
            assert "another event loop" in str(error)
        # Enqueueing needs no engine, and so no loop of its own.
        message_id = await asyncio.to_thread(
            asyncio.run, shared.enqueue(application="acme", event_type="a.b", payload={})
        )
        assert message_id.startswith("msg_")
        assert shared.leading


# A thread of it may have had an answer for the loop that is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_whose_loop_ended_says_that_it_was_not_stopped(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db")
    asyncio.run(engine.start())
    for call in (_create, lambda one: one.start(), lambda one: one.stop()):
        error = _elsewhere(call(engine))
        assert isinstance(error, EngineNotRunningError), error
        assert "has ended" in str(error)


def _elsewhere(work: Any) -> BaseException | None:
    async def run() -> None:
        await asyncio.wait_for(work, 5)

    try:
        asyncio.run(run())
    except Exception as error:  # noqa: BLE001 (the test looks at it)
        return error
    return None


def _parts(whole: object) -> list[object]:
    """All that an object of ours reaches, but for modules, classes and code."""
    seen: dict[int, object] = {}
    pending = [whole]
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType)):
            continue
        seen[id(one)] = one
        if isinstance(one, FunctionType):
            pending.extend(cell.cell_contents for cell in one.__closure__ or ())
            continue
        pending.extend(gc.get_referents(one))
    return list(seen.values())
