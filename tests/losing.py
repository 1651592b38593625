"""A disk that loses what was not synced, when the process that wrote it is killed: see ``losing.c``."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["LosingDisk", "Nothing"]

_RECORD = struct.Struct("=IIIIqq")
_WRITTEN, _CUT, _SYNCED = 1, 2, 3


class _Note(NamedTuple):
    kind: int
    path: str
    offset: int
    size: int
    before: bytes
    after: bytes


class Nothing(random.Random):
    """A chance by which a disk keeps nothing of what was not synced."""

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return seq[0]


class LosingDisk:
    """For files whose paths begin with ``prefix``; skips the test where nothing can be compiled."""

    def __init__(self, folder: Path, prefix: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        self._library = folder / "losing.so"
        self._log = folder / "losing.log"
        self._fault = folder / "losing.fault"
        self._prefix = prefix
        self.fails("N")
        source = Path(__file__).with_name("losing.c")
        command = [compiler, "-shared", "-fPIC", "-O1", source, "-o", self._library, "-ldl", "-lpthread"]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process on it is started with."""
        return os.environ | {
            "LD_PRELOAD": str(self._library),
            "LOSING_PREFIX": str(self._prefix.resolve()),
            "LOSING_LOG": str(self._log),
            "LOSING_FAULT": str(self._fault),
        }

    def fails(self, what: str) -> None:
        """What fails from now on.

        Writes (``W``) or syncs (``S``) by EIO, writes because it is read-only (``R``) or full (``F``), nothing (``N``).
        """
        self._fault.write_text(what)

    def cut_power(self, pid: int, chance: random.Random) -> int:
        """The process was killed by it: each write that was not synced is there or is not; how many are not."""
        log = Path(f"{self._log}.{pid}")
        if not log.exists():
            return 0
        unsynced: dict[str, list[_Note]] = defaultdict(list)
        for note in _notes(log.read_bytes()):
            if note.kind == _SYNCED:
                unsynced[note.path].clear()
            else:
                unsynced[note.path].append(note)
        log.unlink()
        lost = sum(_lose(path, notes, chance) for path, notes in sorted(unsynced.items()) if os.path.exists(path))
        for shared in self._prefix.parent.glob(f"{self._prefix.name}*-shm"):
            shared.unlink()
        return lost


def _notes(log: bytes) -> Iterator[_Note]:
    place = 0
    while place + _RECORD.size <= len(log):
        kind, path, before, after, offset, size = _RECORD.unpack_from(log, place)
        place += _RECORD.size
        parts = []
        for length in (path, before, after):
            parts.append(log[place : place + length])
            place += length
        yield _Note(kind, parts[0].decode(), offset, size, parts[1], parts[2])


def _lose(path: str, notes: list[_Note], chance: random.Random) -> int:
    lost = 0
    with open(path, "r+b") as file:
        for note in reversed(notes):
            file.seek(note.offset)
            file.write(note.before)
            file.truncate(note.size)
        # A disk may keep any of them, in whatever order. Now and then it keeps none at all.
        kept_share = chance.choice((0.0, 0.5, 0.9))
        for note in notes:
            if chance.random() >= kept_share:
                lost += 1
            elif note.kind == _WRITTEN:
                file.seek(note.offset)
                file.write(note.after)
            else:
                file.truncate(note.offset)
    return lost
