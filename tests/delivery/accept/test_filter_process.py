"""Filters asked in a process of their own: the same answers, and an answer whatever becomes of the process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from stores import no_engine

from webhook_engine.delivery.accept import filter_process, filter_worker, payload_filter
from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing, refusing
from webhook_engine.rules.payload import LARGE

pytestmark = [no_engine, pytest.mark.skipif(os.name != "posix", reason="there are none elsewhere")]

ITEMS = json.dumps({"l": [{"x": -1}] * 90_000, "name": "Grüße 😀", "huge": 2**80}).encode()
FILTERS: list[Mapping[str, object]] = [
    {"l": [{"x": number} for number in range(30)]},
    {f"l.m{number}": 1 for number in range(64)},
    {"name": {"$startsWith": "Grüße 😀"}},
    {"name": "\ud800"},
    {"huge": 2**80},
    {"huge": {"$gt": 2**81}},
    {"nothing": {"$exist": False}},
]
NO_JSON = b"{" + b"x" * LARGE
DEEP = b"[" * LARGE + b"]" * LARGE
READY = [PayloadFilter(said) for said in FILTERS]


@pytest.fixture
async def process() -> AsyncIterator[FilterProcess]:
    async with FilterProcess() as process:
        yield process


@pytest.fixture
def nobody_reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_filter, "Content", None)


@pytest.mark.parametrize("payload", [ITEMS, NO_JSON, DEEP], ids=["items", "no JSON", "deep"])
async def test_it_says_what_would_be_said_here(
    process: FilterProcess, payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, why = passing(READY, payload), refusing(READY, payload)
    monkeypatch.setattr(payload_filter, "Content", None)
    for _ in range(2):
        assert await process.passing(READY, payload) == here
        assert await process.refusing(READY, payload) == why


@pytest.mark.usefixtures("nobody_reads_here")
async def test_what_takes_most_memory_is_within_its_bound(process: FilterProcess) -> None:
    assert await process.passing([PayloadFilter({"0": 1})], b"[" + b"[[]]," * 200_000 + b"0]") == [False]


def test_what_takes_more_ends_the_process() -> None:
    code = (
        "import msgspec; from webhook_engine.delivery.accept import filter_worker\n"
        "filter_worker.SPARE_BYTES, filter_worker.MEMORY_A_BYTE = 16_000_000, 8\n"
        "try: filter_worker.reply(msgspec.msgpack.encode((False, [b'{}'], b'[' + b'[[]],' * 400_000 + b'0]')))\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "refused\n"


@pytest.mark.usefixtures("nobody_reads_here")
async def test_a_filter_is_asked_again_when_the_process_is_killed_meanwhile(process: FilterProcess) -> None:
    await process.passing(READY, ITEMS)
    pid = process.pid
    assert pid is not None
    # It cannot have answered when it is killed, since it stands still.
    os.kill(pid, signal.SIGSTOP)
    asked = asyncio.create_task(process.passing(READY[2:3], ITEMS))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert await asked == [True]
    assert process.pid not in (None, pid)


@pytest.mark.usefixtures("nobody_reads_here")
async def test_a_filter_is_asked_again_when_the_process_does_not_answer(
    process: FilterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.passing(READY, ITEMS)
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    limits = iter([0.1])
    do = process._process.do
    monkeypatch.setattr(process._process, "do", lambda job, limit_s: do(job, next(limits, limit_s)))
    assert await process.passing(READY[2:3], ITEMS) == [True]
    assert process.pid not in (None, pid)


@pytest.mark.usefixtures("nobody_reads_here")
async def test_who_is_cancelled_does_no_harm_to_the_next(process: FilterProcess) -> None:
    await process.passing(READY, ITEMS)
    for _ in range(3):
        asked = [asyncio.create_task(process.passing(READY, ITEMS)) for _ in range(3)]
        await asyncio.sleep(0)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert await process.passing(READY[2:3], ITEMS) == [True]


async def test_where_every_process_dies_a_thread_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dying.py").write_text("import os\ndef reply(job): os._exit(1)")
    monkeypatch.setattr(filter_process, "_PROGRAM", tmp_path / "dying.py")
    async with FilterProcess() as process:
        assert await process.passing(READY, ITEMS) == passing(READY, ITEMS)


async def test_where_none_can_be_started_a_thread_does_it_and_none_is_tried_for_a_while(
    process: FilterProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = 0

    def start(*_: object, **__: object) -> object:
        nonlocal started
        started += 1
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", start)
    for _ in range(3):
        assert await process.passing(READY, ITEMS) == passing(READY, ITEMS)
    assert started == 1


async def test_none_is_left_after_the_end_and_none_is_started_then() -> None:
    process = FilterProcess()
    async with process:
        await process.passing(READY, ITEMS)
        pid = process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(process.passing(READY, ITEMS))
        await asyncio.sleep(0)
    assert await asked == passing(READY, ITEMS)
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    async with process:
        await process.passing(READY, ITEMS)
        assert process.pid is not None, "an engine may be started again"


HOST = """
import asyncio, sys
from webhook_engine import Engine

print("run")

async def main():
    async with Engine.open(sys.argv[1]) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url="https://example.com/", filter={"n": 1}, disabled=False)
        for _ in range(2):
            await engine.messages.create("acme", event_type="a", payload={"n": 2, "text": "x" * 100_000})
        print(engine.services.flow.filter_process.pid is not None)

asyncio.run(main())
"""


def test_a_program_without_a_guard_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(HOST)
    command = [sys.executable, "host.py", str(tmp_path / "e.db")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["run", "True"], done.stderr


def test_a_filter_is_made_ready_once() -> None:
    assert filter_worker._ready(READY[0].text) is filter_worker._ready(READY[0].text)
