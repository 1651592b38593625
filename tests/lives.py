"""A host program that accepts messages, and is killed again and again; and a receiver that fails now and then."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from receivers import Request

__all__ = ["Chance", "Lives"]

CHILD = Path(__file__).with_name("engine") / "accepting_child.py"
FAILURES = 0.3
REFUSED, READY = b"REFUSED\n", b"READY\n"


class Lives:
    """The child, and the lives that it lives."""

    def __init__(
        self, database: Path, url: str, environment: Mapping[str, str] | None = None, most: int | None = None
    ) -> None:
        self.pid = 0
        """Of the life that is lived, or was last."""
        self._child = subprocess.Popen(
            [sys.executable, CHILD, database, url, *([] if most is None else [str(most)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=environment,
        )
        self._lines = io.BufferedReader(self._child.stdout)  # type: ignore[arg-type, type-var]

    def live(self, seconds: float) -> list[str]:
        """Accept for so long and be killed; returns the ids that were printed."""
        self.begin()
        time.sleep(seconds)  # The random instant is the point.
        return self.kill()

    def begin(self) -> None:
        """Be born, and begin to accept."""
        self._be_born()
        assert self._lines.readline() == READY, "the engine could not start"

    def die_young(self, seconds: float) -> list[str]:
        """Be killed so long after birth, which is mostly while the engine starts; returns the ids that were printed."""
        self._be_born()
        time.sleep(seconds)
        return self.kill()

    def _be_born(self) -> None:
        self._child.stdin.write(b".")  # type: ignore[union-attr]
        self.pid = int(self._lines.readline().removeprefix(b"PID "))

    def accept(self, count: int) -> list[str]:
        """The next ids that are printed."""
        return self._next(count, refused=False)

    def be_refused(self, count: int) -> list[str]:
        """Until so many messages were refused, because the database could not be written; the ids before that."""
        return self._next(count, refused=True)

    def kill(self) -> list[str]:
        """Be killed; returns the ids that were printed and not read yet."""
        os.kill(self.pid, signal.SIGKILL)
        lines = iter(self._lines.readline, b"DEAD\n")
        return [line.decode().strip() for line in lines if line not in (REFUSED, READY)]

    def _next(self, count: int, *, refused: bool) -> list[str]:
        ids: list[str] = []
        left = count
        while left:
            line = self._lines.readline()
            assert line, "the child has ended"
            assert line != b"DEAD\n", "the engine has ended"
            if line != REFUSED:
                ids.append(line.decode().strip())
            left -= (line == REFUSED) is refused
        return ids

    def __enter__(self) -> Lives:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stdin.close()  # type: ignore[union-attr]
        self._child.wait(timeout=10)
        self._lines.close()


class Chance:
    """Fails now and then, so that retries are pending when the process dies; notes what it accepted."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.delivered: Counter[str] = Counter()

    def __call__(self, request: Request) -> int:
        if self._chance.random() < FAILURES:
            return 500
        self.delivered[request.headers["webhook-id"]] += 1
        return 200
