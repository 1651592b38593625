"""An endpoint that falls behind is told of once, and again only after it had caught up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from engines import acme, local_engine, record_events, send, until
from receivers import Receiver, hanging

from webhook_engine import EndpointBacklogEvent, Engine, ManualClock
from webhook_engine.delivery.upkeep.backlog import newly_late


def test_late_is_what_was_due_before_and_new_what_was_not_told() -> None:
    scheduled = [("a", 5), ("b", 10), ("c", 3)]
    assert newly_late(scheduled, {"c"}, 10) == ([("a", 5)], ["a", "c"])
    assert newly_late(scheduled, set(), 3) == ([], [])


async def looked(engine: Engine) -> None:
    """A whole look that began after this call."""
    backlog = engine._flow._backlog
    wanted = backlog.looks + 2

    def done() -> bool:
        backlog.nudge()
        return backlog.looks >= wanted

    await until(done)


async def test_an_endpoint_that_does_not_keep_up_is_told_once_until_it_has(tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        hanging() as stuck,
        Receiver() as receiver,
        local_engine(
            tmp_path / "e.db", clock, alerts__backlog_after="5m", timeout="20s", shutdown_grace="50ms"
        ) as engine,
    ):
        told = record_events(engine, EndpointBacklogEvent)
        endpoint = await acme(engine, stuck.url)
        await send(engine)
        await stuck.wait_for(1)
        await looked(engine)
        assert told == []
        clock.advance(timedelta(minutes=6))
        await looked(engine)
        await looked(engine)
        assert [(event.endpoint_id, event.application_uid) for event in told] == [(endpoint.id, "acme")]
        await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        await engine.endpoints.disable("acme", endpoint.id)
        await looked(engine)
        await engine.endpoints.enable("acme", endpoint.id)
        await engine.endpoints.update("acme", endpoint.id, url=stuck.url)
        await send(engine)
        await looked(engine)
        assert len(told) == 1
        clock.advance(timedelta(minutes=6))
        await looked(engine)
        assert len(told) == 2
