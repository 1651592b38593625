"""A host program that a process manager stops: accepts messages until SIGTERM, which cancels its main task.

python stopping_child.py DATABASE URL
"""

from __future__ import annotations

import asyncio
import signal
import sys

from webhook_engine import Engine


async def main(database: str, url: str) -> None:
    this = asyncio.current_task()
    assert this
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    async with Engine.open(database, allow_subnets=["127.0.0.0/8"]) as engine:
        await engine.applications.get_or_create(name="Acme", uid="acme")
        if not (await engine.endpoints.list("acme")).data:
            await engine.endpoints.create("acme", url=url)
        while True:
            message = await engine.messages.create("acme", event_type="a.b", payload=b"{}")
            print(message.id, flush=True)
            await asyncio.sleep(0)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except asyncio.CancelledError:
        print("STOPPED", flush=True)
