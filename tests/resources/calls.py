"""What the tests of resources ask of an engine."""

from __future__ import annotations

from datetime import datetime, timedelta

from webhook_engine import Engine, ManualClock, Message
from webhook_engine.clock import to_datetime

HOUR = timedelta(hours=1)


async def send(engine: Engine, **arguments: object) -> Message:
    """A message that was sent to all that it goes to."""
    message = await engine.messages.create("acme", **{"event_type": "a", "payload": {"id": 1}, **arguments})
    await engine.join(5)
    return message


def clock_time(clock: ManualClock) -> datetime:
    """What the clock says."""
    return to_datetime(clock.now())
