"""Starting, stopping, being cancelled and being killed politely: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from engines import (
    acme,
    attempts_of,
    ids_of,
    local_engine,
    send,
    send_many,
    until,
)
from receivers import Receiver, Reply, hanging
from stores import about_the_file, query

from webhook_engine import (
    AttemptStatus,
    EndpointCreatedEvent,
    Engine,
    EngineAlreadyRunningError,
    EngineNotRunningError,
    StoreUnavailableError,
    WebhookEngineError,
)


async def test_one_engine_object_starts_and_stops_again_and_again(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        engine = local_engine(tmp_path / "e.db")
        for number in range(1, 5):
            async with engine:
                if number == 1:
                    await acme(engine, receiver.url)
                await send(engine)
                await engine.join(timeout=5)
            assert len(receiver.requests) == number


async def test_nothing_is_left_behind_by_an_engine_that_stopped(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        await asyncio.sleep(0)
        threads, tasks = threading.active_count(), len(asyncio.all_tasks())
        files = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            async with local_engine(tmp_path / "e.db") as engine:
                await acme(engine, receiver.url)
                await send_many(engine, 20)
                await engine.join(timeout=5)
        gc.collect()
        # The receiver's connections close when they see the engine's do; resolver threads are asyncio's own.
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: len(os.listdir("/proc/self/fd")) <= files)
        engines_own = [one.name for one in threading.enumerate() if not one.name.startswith("asyncio_")]
        assert len(engines_own) <= threads, engines_own


async def test_stopping_is_harmless_before_starting_and_when_done_twice(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db")
    await engine.stop()
    await engine.start()
    await asyncio.gather(engine.stop(), engine.stop())
    await engine.stop()
    async with engine:
        await engine.applications.create(name="x")


async def test_a_second_start_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        with pytest.raises(EngineNotRunningError, match="already"):
            await engine.start()
        await acme(engine, receiver.url)
        await send(engine)
        await receiver.wait_for(1)


@about_the_file
async def test_a_start_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    directory = tmp_path / "not yet"
    engine = local_engine(directory / "e.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="directory"):
            await engine.start()
    directory.mkdir()
    async with engine:
        await engine.applications.create(name="x")


@about_the_file
async def test_two_engines_on_one_file_are_refused_with_the_name_of_the_holder(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with local_engine(database):
        second = local_engine(database)
        with pytest.raises(EngineAlreadyRunningError, match=str(os.getpid())):
            await second.start()
    async with second:
        await second.applications.create(name="x")


async def test_an_engine_that_is_not_running_says_so(tmp_path: Path) -> None:
    engine = local_engine(tmp_path / "e.db")
    async with engine:
        await engine.applications.create(name="Acme", uid="acme")
    with pytest.raises(EngineNotRunningError):
        await engine.join(timeout=10)
    with pytest.raises(WebhookEngineError, match=r"not open|not running|stopping"):
        await send(engine)
    with pytest.raises(WebhookEngineError, match=r"not open|not running"):
        await local_engine(tmp_path / "e.db").applications.list()


async def test_stop_lets_requests_in_flight_finish_and_records_them(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    arrived, go = asyncio.Event(), asyncio.Event()

    async def answer(_request: object) -> int:
        arrived.set()
        await go.wait()
        return 200

    async with Receiver(answer) as receiver:
        engine = local_engine(database)
        await engine.start()
        await acme(engine, receiver.url)
        await send(engine)
        await arrived.wait()
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        go.set()
        await stopping
        assert query(database, "SELECT status, attempt_count FROM webhook_delivery") == [(0, 1)]
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("same", [True, False])
async def test_what_outlasts_the_grace_is_not_recorded_and_is_made_again_after_start(
    tmp_path: Path, same: bool
) -> None:
    database = tmp_path / "e.db"
    async with Receiver([Reply(delay=60), Reply()]) as receiver:
        first = local_engine(database, shutdown_grace="100ms")
        async with first as engine:
            await acme(engine, receiver.url)
            message = await send(engine)
            await receiver.wait_for(1)
            begun = time.perf_counter()
        assert time.perf_counter() - begun < 20
        assert query(database, "SELECT count(*) FROM webhook_attempt") == [(0,)]
        async with first if same else local_engine(database) as engine:
            await engine.join(timeout=10)
            assert ids_of(receiver) == [message, message]
            [attempt] = await attempts_of(engine, message)
            assert attempt.status is AttemptStatus.SUCCESS


async def test_cancelling_the_body_stops_the_engine_and_loses_nothing(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    accepted: list[str] = []

    async def host(url: str) -> None:
        async with local_engine(database) as engine:
            await acme(engine, url)
            while True:
                accepted.extend(await send_many(engine, 10))

    async with Receiver() as receiver:
        task = asyncio.create_task(host(receiver.url))
        await until(lambda: len(accepted) > 50)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with local_engine(database) as engine:
            await engine.join(timeout=10)
        assert set(accepted) <= set(ids_of(receiver))
        assert len(set(ids_of(receiver))) == len(receiver.requests)


async def test_cancelling_the_stop_carries_it_through(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with hanging() as hang:
        engine = local_engine(database, shutdown_grace="300ms")
        await engine.start()
        await acme(engine, hang.url)
        await send(engine)
        await until(lambda: hang.connections)
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0.02)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        async with local_engine(database, shutdown_grace="0s"):
            pass


async def test_a_caller_who_gives_up_waiting_harms_nobody(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        impatient = [asyncio.create_task(send(engine, number)) for number in range(50)]
        await asyncio.sleep(0)
        for task in impatient[::2]:
            task.cancel()
        await asyncio.gather(*impatient, return_exceptions=True)
        await engine.join(timeout=5)
        listed = {message.id async for message in engine.messages.iterate("acme")}
        assert {task.result() for task in impatient[1::2]} <= listed == set(ids_of(receiver))


async def test_a_handler_that_raises_or_hangs_harms_nothing(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", shutdown_grace="100ms") as engine:
        heard = []

        @engine.on(EndpointCreatedEvent)
        def raising(_event: EndpointCreatedEvent) -> None:
            raise RuntimeError("the host's own mistake")

        @engine.on(EndpointCreatedEvent)
        async def hanging(_event: EndpointCreatedEvent) -> None:
            await asyncio.Event().wait()

        engine.on(EndpointCreatedEvent)(heard.append)
        await acme(engine, receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        assert len(receiver.requests) == len(heard) == 1


def sigterm(database: Path, url: str, life_s: float) -> tuple[list[str], str]:
    """Let the child accept for so long, then ask it to stop; the ids it printed, and what it said last."""
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "engine" / "stopping_child.py"), str(database), url],
        stdout=subprocess.PIPE,
    )
    assert child.stdout
    first = child.stdout.readline()
    time.sleep(life_s)  # the random instant is the point
    child.send_signal(signal.SIGTERM)
    lines = [first, *child.stdout.readlines()]
    child.stdout.close()
    assert child.wait(timeout=20) == 0
    *ids, last = (line.decode().strip() for line in lines)
    return ids, last


@pytest.mark.slow
async def test_sigterm_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    accepted: list[str] = []
    async with Receiver() as receiver:
        for life_s in (0.0, 0.1, 0.3):
            ids, last = await asyncio.to_thread(sigterm, database, receiver.url, life_s)
            assert last == "STOPPED"
            accepted += ids
        async with local_engine(database) as engine:
            await engine.join(timeout=20)
        assert set(accepted) <= set(ids_of(receiver))
        assert len(set(ids_of(receiver))) == len(receiver.requests)


def test_an_engine_may_be_used_on_one_event_loop_after_another(tmp_path: Path) -> None:
    async def once(engine: Engine) -> None:
        async with Receiver() as receiver, engine:
            endpoint = await acme(engine, receiver.url)
            await send(engine)
            await engine.join(timeout=5)
            assert len(receiver.requests) == 1
            await engine.endpoints.delete("acme", endpoint.id)

    engine = local_engine(tmp_path / "e.db")
    for _ in range(2):
        asyncio.run(once(engine))


FORGETS = """
import asyncio, sys
from webhook_engine import Engine

async def main():
    engine = Engine.open(sys.argv[1])
    await engine.start()
    await engine.applications.create(name="Acme", uid="acme")
    raise KeyError("the program's own mistake")

asyncio.run(main())
"""


@about_the_file
@pytest.mark.slow
async def test_a_program_that_dies_without_stopping_the_engine_ends(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", FORGETS, str(database)], capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert b"the program's own mistake" in done.stderr
    async with Engine.open(database) as engine:
        assert (await engine.applications.get("acme")).name == "Acme"
