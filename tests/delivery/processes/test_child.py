"""The loop of a kept process, as it runs in it."""

from __future__ import annotations

import io
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from stores import no_engine

from webhook_engine.delivery.processes import child

pytestmark = [no_engine, pytest.mark.skipif(os.name != "posix", reason="there are none elsewhere")]


def framed(*said: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(one)) + one for one in said)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    (tmp_path / "program.py").write_text("def reply(job): return job[::-1]")
    return str(tmp_path / "program.py")


def answers(program: str, given: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    stdout = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=stdout))
    child.main(program, [])
    return stdout.getvalue()


def test_it_answers_until_there_are_no_more(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(program, framed(b"abc", b"xy"), monkeypatch) == child.READY + framed(b"cba", b"yx")


@pytest.mark.parametrize("left", [b"\0\0", b"\0\0\0\5ab"])
def test_a_job_that_is_cut_off_is_none(program: str, monkeypatch: pytest.MonkeyPatch, left: bytes) -> None:
    assert answers(program, framed(b"abc") + left, monkeypatch) == child.READY + framed(b"cba")


def test_where_it_may_not_stand_behind_others_it_works_all_the_same(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a unit of systemd that has no calls of the group @resources.
    def refuse(_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    assert answers(program, framed(b"abc"), monkeypatch) == child.READY + framed(b"cba")
