"""Each world in a process of its own, forked when everything is loaded: what dies in it takes its memory along."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing import connection
from typing import Any

from simulation.world import Result, prepare, simulate

__all__ = ["results"]

LONGEST_S = 60.0
"""A world that takes more of the processor's time has run wild, and is ended."""


def results(worlds: Iterable[tuple[int, Mapping[str, Any]]], jobs: int) -> Iterator[Result]:
    """What comes of these worlds, as each ends; ``jobs`` of them run at once.

    A world is a seed, with what is not drawn from it.
    """
    prepare()
    # What is loaded by now lives as long as the process: no collection has to look at it in each of the forks.
    gc.freeze()
    waiting = iter(worlds)
    running: dict[connection.Connection, tuple[int, int]] = {}
    try:
        while True:
            while len(running) < jobs and (world := next(waiting, None)) is not None:
                process, end = _begin(*world)
                running[end] = (process, world[0])
            if not running:
                return
            for end in connection.wait(list(running)):
                assert isinstance(end, connection.Connection)
                process, seed = running.pop(end)
                yield _read(end, process, seed)
    finally:
        for end, (process, _) in running.items():
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            end.close()


def _begin(seed: int, fixed: Mapping[str, Any]) -> tuple[int, connection.Connection]:
    here, there = connection.Pipe(duplex=False)
    sys.stdout.flush()
    process = os.fork()
    if process:
        there.close()
        return process, here
    here.close()
    try:
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        result = simulate(seed, **fixed)
        there.send_bytes(pickle.dumps(result))
    except BaseException:  # noqa: BLE001 (the process ends here, whatever it is)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _read(end: connection.Connection, process: int, seed: int) -> Result:
    try:
        result = pickle.loads(end.recv_bytes())
        assert isinstance(result, Result)
    except EOFError:
        result = Result(seed, ["the world ended in the middle: it failed, or took too long"], "", 0.0, 0, 0, 0)
    end.close()
    os.waitpid(process, 0)
    return result
