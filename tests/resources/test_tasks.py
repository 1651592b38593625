"""Background tasks, as programs see them."""

from __future__ import annotations

import pytest
from resources.calls import HOUR

from webhook_engine import (
    Engine,
    ManualClock,
    NotFoundError,
    ValidationError,
)
from webhook_engine.clock import to_datetime


async def test_tasks_are_listed_and_waited_for(engine: Engine, clock: ManualClock) -> None:
    await engine.endpoints.create("acme", url="http://h", uid="one")
    await engine.applications.create(name="Other", uid="other")
    since = to_datetime(clock.now()) - HOUR
    recover = await engine.endpoints.recover("acme", "one", since)
    replay = await engine.endpoints.replay_missing("acme", "one", since)
    for task in (recover, replay):
        assert (await engine.tasks.wait(task.id, timeout=5)).status == "finished"
    assert [task.id for task in (await engine.tasks.list()).data] == [replay.id, recover.id]
    assert [task.id async for task in engine.tasks.iterate(task="endpoint.recover")] == [recover.id]
    assert (await engine.tasks.list(status="running")).data == []
    assert (await engine.tasks.list(application="other")).data == []
    assert (await engine.tasks.get(recover.id, application="acme")).id == recover.id
    with pytest.raises(NotFoundError):
        await engine.tasks.get(recover.id, application="other")
    with pytest.raises(ValidationError):
        await engine.tasks.list(status="done")
    with pytest.raises(NotFoundError):
        await engine.organization("org_x").tasks.get(recover.id)
