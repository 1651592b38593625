"""A host program for the test of order over crashes: accepts messages of several keys, and prints each that was.

    python ordering_child.py DATABASE URL KEY=NUMBER…

The messages of a key are numbered from NUMBER on, one after the other. One that was accepted in an earlier life, which
ended before it was printed, is printed now.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from webhook_engine import ConflictError, Engine, NotFoundError


async def main(database: str, url: str, starts: dict[str, int]) -> None:
    settings = {"allow_subnets": ["127.0.0.0/8"], "retry_schedule": ["5ms"] * 30}
    async with Engine.open(database, **settings) as engine:
        try:
            await engine.applications.get("acme")
        except NotFoundError:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=url, ordering="fifo")

        async def accept(key: str, number: int) -> None:
            while True:
                with suppress(ConflictError):
                    await engine.messages.create(
                        "acme",
                        event_type="a",
                        payload={"key": key, "n": number},
                        event_id=f"{key}-{number}",
                        ordering_key=key,
                    )
                print(key, number, flush=True)
                number += 1

        await asyncio.gather(*(accept(key, number) for key, number in starts.items()))


if __name__ == "__main__":
    given = dict(one.split("=") for one in sys.argv[3:])
    asyncio.run(main(sys.argv[1], sys.argv[2], {key: int(number) for key, number in given.items()}))
