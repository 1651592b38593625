"""A host program for the crash test: accepts messages as fast as it can, and prints each id when ``create`` returned.

    python accepting_child.py DATABASE URL [MOST]

``MOST``: as many messages as each life accepts; without end by default.

Each line on its input begins a life, in a process of its own that is forked when everything is imported already:
``PID 123``, ``READY``, ids, ``REFUSED`` where the database could not be written, and ``DEAD`` when it was killed.
"""

from __future__ import annotations

import asyncio
import os
import sys

import webhook_engine.engine
from webhook_engine import Engine, StoreUnavailableError

CREATORS = 8
MANY = 30
"""So many retries that no message meets with bad luck in all of them, however many a fast machine accepts."""


async def accept(database: str, url: str, most: float) -> None:
    async with Engine.open(
        database, allow_subnets=["127.0.0.0/8"], retry_schedule=["10ms", "50ms", "200ms", *["1s"] * MANY]
    ) as engine:
        application = await engine.applications.get_or_create(name="Crash", uid="crash")
        if not (await engine.endpoints.list("crash")).data:
            await engine.endpoints.create("crash", url=url)

        async def create() -> None:
            number = 0
            while number < most / CREATORS:
                number += 1
                try:
                    message = await engine.messages.create(
                        application.id, event_type="crash.test", payload={"n": number}
                    )
                except StoreUnavailableError:
                    os.write(1, b"REFUSED\n")
                    await asyncio.sleep(0.02)
                    continue
                # One line in one write, so that a kill leaves no half of an id behind.
                os.write(1, f"{message.id}\n".encode())

        os.write(1, b"READY\n")
        await asyncio.gather(*(create() for _ in range(CREATORS)))
        await asyncio.Event().wait()


def main(database: str, url: str, most: str = "inf") -> None:
    assert webhook_engine.engine
    while os.read(0, 1):
        life = os.fork()
        if life == 0:
            # By itself, so that this comes before everything else that it says.
            os.write(1, f"PID {os.getpid()}\n".encode())
            asyncio.run(accept(database, url, float(most)))
        os.waitpid(life, 0)
        os.write(1, b"DEAD\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
