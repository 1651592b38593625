"""Writes messages and outcomes as fast as it can, and says what was accepted. To be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from records import World, addressed, change

from webhook_engine.model import DeliveryStatus
from webhook_engine.store.records import Outcomes
from webhook_engine.store.sqlite import SqliteStore


async def main(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    world = World(store)
    application, endpoint = await world.pair()
    sys.stdout.write(f"{application.id} {endpoint.endpoint.id}\n")

    async def work() -> None:
        while True:
            message = world.new_message(application.id, payload=b"x" * 3_000)
            await store.messages.add([addressed(message, endpoint)])
            sys.stdout.write(f"added {message.id}\n")
            sys.stdout.flush()
            attempt = world.new_attempt(message, endpoint)
            changed = change(message, endpoint, DeliveryStatus.SUCCEEDED)
            await store.deliveries.record(Outcomes(attempts=[attempt], deliveries=[changed]))
            sys.stdout.write(f"recorded {message.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(work() for _ in range(16)))


asyncio.run(main(Path(sys.argv[1])))
