"""What was acknowledged is there after ``kill -9``, and each change is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from records import START

from webhook_engine.model import AttemptStatus
from webhook_engine.store.records import AttemptFilter, DeliveryFilter, MessageFilter, Span
from webhook_engine.store.sqlite import SqliteStore

CHILD = Path(__file__).with_name("writing_child.py")
EVERYTHING = Span(limit=1_000_000)


def write_and_kill(path: Path, lines: int) -> tuple[str, str, list[str]]:
    """What a process said before and after it was killed, which was when it had said so many lines."""
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(path)], stdout=subprocess.PIPE, text=True, cwd=CHILD.parents[2]
    ) as child:
        assert child.stdout is not None
        application_id, endpoint_id = child.stdout.readline().split()
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said.extend(line for line in child.stdout if line.endswith("\n"))
    return application_id, endpoint_id, said


@pytest.mark.parametrize("lines", [1, 50, 700])
async def test_what_was_acknowledged_survives_a_kill(path: Path, lines: int) -> None:
    application_id, endpoint_id, said = write_and_kill(path, lines)
    added = {line.split()[1] for line in said if line.startswith("added")}
    recorded = {line.split()[1] for line in said if line.startswith("recorded")}

    store = SqliteStore(path)
    await store.open()
    try:
        messages = {one.id for one in await store.messages.list(application_id, EVERYTHING, MessageFilter())}
        deliveries = await store.deliveries.list_by_endpoint(endpoint_id, EVERYTHING, DeliveryFilter())
        attempts = await store.attempts.list_by_endpoint(endpoint_id, EVERYTHING, AttemptFilter())
        due = await store.deliveries.due(endpoint_id, START * 2, 1_000_000)
        succeeded = {one.message.id for one in deliveries if one.status is AttemptStatus.SUCCESS}
        assert added <= messages
        assert recorded <= succeeded
        assert {one.message.id for one in deliveries} == messages
        assert {one.msg_id for one in attempts} == succeeded
        assert {one.message_id for one in due} == messages - succeeded
        assert await store.database.read("PRAGMA integrity_check") == [("ok",)]
        assert await store.database.read("PRAGMA foreign_key_check") == []
    finally:
        await store.close()
