"""The main module of a helper process: runs a program, job by job.

    python -I child.py PROGRAM [FOLDER…]

``PROGRAM`` is the path of a module with ``reply(job: bytes) -> bytes``, and the folders are where it finds what it
imports. Jobs come on the standard input and their replies go to the standard output, each preceded by its length in
four bytes. It is started by its path and imports nothing of the package. It exits at the end of its input, so with the
engine, even if that is killed.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

READY = b"ready"
NICE = 5
"""Niceness relative to the engine."""


def main(program: str, folders: list[str]) -> None:
    """Do jobs until the input ends."""
    sys.path += [one for one in folders if one not in sys.path]
    _stand_behind()
    reply = _replies_of(program)
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    stdout.write(READY)
    stdout.flush()
    while job := _read(stdin):
        said = reply(job)
        stdout.write(struct.pack(">I", len(said)) + said)
        stdout.flush()


def _stand_behind() -> None:
    with suppress(OSError):  # A unit of systemd may forbid it.
        os.nice(NICE)
    # If Linux schedules by session (sched(7), autogroup), the session's nice value counts.
    with suppress(OSError), open("/proc/self/autogroup", "w") as session:
        session.write(str(NICE))


def _replies_of(program: str) -> Callable[[bytes], bytes]:
    spec = importlib.util.spec_from_file_location("program", program)
    if spec is None or spec.loader is None:
        raise ImportError(program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reply: Callable[[bytes], bytes] = module.reply
    return reply


def _read(stdin: BinaryIO) -> bytes:
    head = stdin.read(4)
    if len(head) < 4:
        return b""
    (length,) = struct.unpack(">I", head)
    job = stdin.read(length)
    return job if len(job) == length else b""


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
