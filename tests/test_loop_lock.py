"""A lock is one in each event loop."""

from __future__ import annotations

import asyncio

from webhook_engine.loop_lock import LoopLock


def test_it_keeps_one_out_while_the_other_is_in_also_in_the_next_event_loop() -> None:
    lock = LoopLock()

    async def two_at_once() -> list[str]:
        seen: list[str] = []

        async def one(name: str) -> None:
            async with lock.here():
                seen.append(f"{name} comes")
                await asyncio.sleep(0)
                seen.append(f"{name} goes")

        await asyncio.gather(one("first"), one("second"))
        return seen

    wanted = ["first comes", "first goes", "second comes", "second goes"]
    assert [asyncio.run(two_at_once()) for _ in range(2)] == [wanted, wanted]
