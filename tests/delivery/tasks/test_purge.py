"""All payloads of an application are deleted, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import acme, local_engine, send, send_many

from webhook_engine import TaskStatus
from webhook_engine.delivery.tasks import purge


@pytest.mark.parametrize("count", [0, 1, 4, 5])
async def test_each_is_deleted_once_and_none_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(purge, "MESSAGES_AT_ONCE", 2)
    async with local_engine(tmp_path / "e.db") as engine:
        await acme(engine, "https://example.com", disabled=True)
        await engine.applications.create(name="Other", uid="other")
        kept = await send(engine, application="other")
        gone = await send_many(engine, count)
        started = await engine.messages.expunge_all_contents("acme")
        ended = await engine.tasks.wait(started.id, timeout=10)
        assert (ended.status, ended.data["processed"]) == (TaskStatus.FINISHED, count)
        assert [(await engine.messages.get("acme", each)).payload for each in gone] == [None] * count
        assert (await engine.messages.get("other", kept)).payload == b'{"n":1}'
        later = await send(engine)
        assert (await engine.messages.get("acme", later)).payload == b'{"n":1}'
