"""One edit at a time."""

from __future__ import annotations

import asyncio

from webhook_engine.resources.edits import EditLocks


async def test_a_lock_is_shared_while_somebody_uses_it_and_gone_afterwards() -> None:
    locks, order = EditLocks(), []

    async def edit(name: str) -> None:
        async with locks.of("ep_1"):
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(edit("a"), edit("b"), edit("c"))
    assert order == ["a", "a", "b", "b", "c", "c"]
    assert not locks._locks
