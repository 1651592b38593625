"""A connection to SQLite on a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from webhook_engine.store.sqlite.connection import Connection


def test_a_file_that_cannot_be_opened_leaves_its_thread_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: list[object] = []
    monkeypatch.setattr(threading, "excepthook", problems.append)
    before = set(threading.enumerate())
    for _ in range(100):
        # The loop is closed as soon as the error is there: what the thread says after that finds none.
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            asyncio.run(Connection(tmp_path).open([]))
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert problems == []
