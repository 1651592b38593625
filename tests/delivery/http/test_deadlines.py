"""When the time of an exchange is over: while the process stands still, it is not."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from delivery.http.sending import make_sender, send
from receivers import Receiver, Reply

from webhook_engine.delivery.http.deadlines import LATE_S, Deadlines

stand_still = time.sleep
"""What keeps the event loop busy."""

PROGRAM = """
import asyncio, sys
sys.path[:0] = {path!r}
import uvloop
from delivery.http.sending import make_sender, send

async def main():
    async with make_sender(timeout_s=1.0) as sender:
        print("ready", flush=True)
        sys.stdin.readline()
        answers = await asyncio.gather(*(send(sender, {url!r}) for _ in range(20)))
        for answer in answers:
            print(answer.status_code, answer.failure, flush=True)

{run}(main())
"""


@pytest.mark.parametrize("run", ["asyncio.run", "uvloop.run"])
async def test_what_arrived_while_the_process_was_stopped_is_read(run: str) -> None:
    async with Receiver(Reply(delay=0.3)) as receiver:
        program = PROGRAM.format(path=[str(Path(__file__).parents[2])], url=receiver.url, run=run)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        try:
            await process.stdout.readline()
            process.stdin.write(b"\n")
            await receiver.wait_for(20, timeout=30)
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.sleep(1.5)
            os.kill(process.pid, signal.SIGCONT)
            said, _ = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert said.decode().splitlines() == ["200 None"] * 20


class One:
    def __init__(self) -> None:
        self.expired = asyncio.Event()

    def expire(self) -> None:
        self.expired.set()


async def test_a_time_in_which_the_loop_stood_still_counts_for_nobody() -> None:
    deadlines = Deadlines(0.5)
    one = One()
    deadlines.begin(one)
    for _ in range(3):
        stand_still(0.5)
        await asyncio.sleep(0)
        assert not one.expired.is_set()
    await asyncio.wait_for(one.expired.wait(), 10)
    deadlines.close()


async def test_a_loop_that_is_always_late_still_lets_things_expire() -> None:
    deadlines = Deadlines(0.2)
    one = One()
    deadlines.begin(one)
    for _ in range(20):
        stand_still(LATE_S * 1.5)
        await asyncio.sleep(0)
        if one.expired.is_set():
            break
    else:
        pytest.fail("nothing expired")
    deadlines.close()


async def test_the_oldest_comes_first_and_what_is_finished_does_not_come() -> None:
    deadlines = Deadlines(0.2)
    first, second, third = One(), One(), One()
    deadlines.begin(first)
    deadlines.begin(second)
    deadlines.end(second)
    await asyncio.sleep(0.05)
    deadlines.begin(third)
    await asyncio.wait_for(first.expired.wait(), 10)
    await asyncio.wait_for(third.expired.wait(), 10)
    assert not second.expired.is_set()
    deadlines.close()


async def test_a_timeout_that_is_shorter_than_the_last_look_is_kept() -> None:
    deadlines = Deadlines(0.02)
    one, two = One(), One()
    deadlines.begin(one)
    await asyncio.wait_for(one.expired.wait(), 10)
    deadlines.begin(two)
    await asyncio.wait_for(two.expired.wait(), 10)
    deadlines.close()


async def test_a_response_is_read_though_the_loop_was_kept_busy_until_its_time_was_over() -> None:
    async with Receiver() as receiver, make_sender(timeout_s=0.5) as sender:
        assert (await send(sender, receiver.url)).failure is None
        waiting = asyncio.create_task(send(sender, receiver.url))
        await receiver.wait_for(2)
        stand_still(1.0)
        assert (await waiting).failure is None


class SteppedLoop(asyncio.AbstractEventLoop):
    """An event loop whose time goes from one timer to the next, and not a bit further."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.timer: tuple[float, Callable[..., object], tuple[object, ...]] | None = None

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:  # type: ignore[override]
        self.timer = (when, callback, args)
        return asyncio.TimerHandle(when, callback, args, self)

    def get_debug(self) -> bool:
        return False

    def step(self) -> None:
        assert self.timer is not None
        (when, callback, args), self.timer = self.timer, None
        self.now = max(self.now, when)
        callback(*args)


class Exchange:
    over = False

    def expire(self) -> None:
        self.over = True


async def test_a_time_that_is_over_but_for_what_no_clock_shows_is_over() -> None:
    chance = random.Random(1)
    for _ in range(1_000):
        loop, exchange = SteppedLoop(chance.uniform(0, 1_000)), Exchange()
        deadlines = Deadlines(chance.choice((1.0, 2.0, 15.0)))
        deadlines._loop, deadlines._stood_still_s = loop, chance.uniform(0, 20)
        deadlines.begin(exchange)
        steps = 0
        while not exchange.over:
            loop.step()
            steps += 1
            assert steps < 100
