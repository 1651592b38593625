"""Engines that share a database, in one process: who holds what, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from webhook_engine import Engine
from webhook_engine.store.members import ALL_SHARDS


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def shards(engine: Engine) -> frozenset[int]:
    return engine.services.flow.ownership.shards


async def shared_out(*engines: Engine) -> None:
    """Wait until every engine has its part."""
    await until(
        lambda: (
            frozenset().union(*map(shards, engines)) == ALL_SHARDS
            and sum(len(shards(one)) for one in engines) == len(ALL_SHARDS)
            and all(map(shards, engines))
        )
    )
