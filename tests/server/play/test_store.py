"""The store of Play, where HTTP does not show what it does."""

from __future__ import annotations

from datetime import timedelta

from webhook_engine import ManualClock

from .conftest import Play


async def test_expired_inboxes_leave_nothing_behind(play: Play, clock: ManualClock) -> None:
    old = await play.inbox()
    await play.client.post(old["url"], data=b"secret")
    clock.advance(timedelta(days=2))
    young = await play.inbox()
    await play.client.post(young["url"], data=b"kept")
    clock.advance(timedelta(days=2))
    store = play.engine.services.store.play
    while await play.engine.services.store.upkeep.purge(clock.now(), 100):
        pass
    assert await store.get(old["token"], 0) is None
    assert list(await store.requests(old["token"], "", 10)) == []
    assert [request.body for request in await store.requests(young["token"], "", 10)] == [b"kept"]
