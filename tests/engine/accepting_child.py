"""A host program for the crash test: accepts messages as fast as it can, and prints each id when ``create`` returned.

    python accepting_child.py DATABASE URL

It ends by being killed.
"""

from __future__ import annotations

import asyncio
import sys

from webhook_engine import Engine

CREATORS = 8


async def main(database: str, url: str) -> None:
    async with Engine.open(
        database, allow_subnets=["127.0.0.1/32"], retry_schedule=["10ms", "50ms", "200ms", "1s", "1s"], jitter=0.2
    ) as engine:
        application = await engine.applications.get_or_create(name="Crash", uid="crash")
        if not (await engine.endpoints.list("crash")).data:
            await engine.endpoints.create("crash", url=url)

        async def create() -> None:
            number = 0
            while True:
                number += 1
                message = await engine.messages.create(application.id, event_type="crash.test", payload={"n": number})
                print(message.id, flush=True)

        print("READY", flush=True)
        await asyncio.gather(*(create() for _ in range(CREATORS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
