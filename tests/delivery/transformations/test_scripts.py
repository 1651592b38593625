"""Processes for scripts: their turns, their end, and that a hostile script holds nobody up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from webhook_engine.delivery.transformations.functions import TransformationError
from webhook_engine.delivery.transformations.scripts import ScriptLimits, Scripts

pytest.importorskip("quickjs")
GOOD = "function handler(webhook) { webhook.payload = [1]; console.log('here'); return webhook }"
LOOPING = "function handler(webhook) { while (true); }"


@pytest.fixture
async def scripts() -> AsyncIterator[Scripts]:
    made = Scripts(ScriptLimits(time_s=0.1))
    yield made
    await made.close()


async def test_it_returns_a_webhook_and_what_it_wrote(scripts: Scripts) -> None:
    said = await scripts.run("app_1", GOOD, {"payload": {}, "url": "https://a.example/"})
    assert {name: said.value(name) for name in said.webhook} == {"payload": [1], "url": "https://a.example/"}
    assert not said.same
    assert list(said.logs) == ["here"]


@pytest.mark.parametrize("code", [LOOPING, "throw 1", "function handler() { return '}' }", "function handler() {}"])
async def test_a_failure_is_told_and_the_next_works(scripts: Scripts, code: str) -> None:
    with pytest.raises(TransformationError) as raised:
        await scripts.run("app_1", code, {})
    assert raised.value.timed_out is (code == LOOPING)
    assert (await scripts.run("app_1", GOOD, {})).logs


async def test_what_one_script_leaves_behind_meets_no_other(scripts: Scripts) -> None:
    await scripts.run("app_1", "globalThis.left = 1; Object.prototype.left = 1; " + GOOD, {})
    for _ in range(3):
        said = await scripts.run("app_2", "function handler() { return {left: typeof left, x: {}.left || 0} }", {})
        assert {name: said.value(name) for name in said.webhook} == {"left": "undefined", "x": 0}


async def test_scripts_that_loop_let_those_of_others_have_their_turn(scripts: Scripts) -> None:
    await scripts.run("app_good", GOOD, {})
    hostile = [asyncio.ensure_future(scripts.run("app_bad", LOOPING, {})) for _ in range(20)]
    await asyncio.sleep(0)
    for _ in range(10):
        await scripts.run("app_good", GOOD, {})
    assert sum(one.done() for one in hostile) < 20, "they were run first"
    for one in hostile:
        one.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)
    assert (await scripts.run("app_bad", GOOD, {})).logs


async def test_the_event_loop_goes_on_meanwhile(scripts: Scripts) -> None:
    await scripts.run("app_1", GOOD, {})
    running = asyncio.ensure_future(scripts.run("app_1", LOOPING, {}))
    turns = 0
    while not running.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 100
    assert isinstance(running.exception(), TransformationError)


async def test_a_process_that_dies_is_replaced(scripts: Scripts) -> None:
    await scripts.run("app_1", GOOD, {})
    for worker in scripts._all:
        if worker._process is not None:
            os.kill(worker._process.pid, signal.SIGKILL)
            worker._process.wait(timeout=10)
    for _ in range(2):
        assert (await scripts.run("app_1", GOOD, {})).logs


async def test_a_process_that_answers_nothing_is_killed_with_its_child(scripts: Scripts) -> None:
    await scripts.run("app_1", GOOD, {})
    [worker] = [one for one in scripts._all if one._process is not None]
    process = worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    scripts._free = [worker]
    with pytest.raises(TransformationError, match="too long"):
        await scripts.run("app_1", GOOD, {})
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
async def test_none_is_left_after_the_end() -> None:
    scripts = Scripts(ScriptLimits(time_s=5))
    await scripts.run("app_1", GOOD, {})
    running = asyncio.ensure_future(scripts.run("app_1", LOOPING, {}))
    await asyncio.sleep(0)
    processes = [worker._process for worker in scripts._all if worker._process is not None]
    await scripts.close()
    with pytest.raises(TransformationError):
        await running
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * len(processes)
