"""Engines that share a database, in one process: who holds what, and waiting for it."""

from __future__ import annotations

from engines import until

from webhook_engine import Engine
from webhook_engine.store.members import ALL_SHARDS


def shards(engine: Engine) -> frozenset[int]:
    return engine.services.flow.ownership.shards


async def shared_out(*engines: Engine) -> None:
    """Wait until every engine has its part."""
    await until(
        lambda: (
            frozenset().union(*map(shards, engines)) == ALL_SHARDS
            and sum(len(shards(one)) for one in engines) == len(ALL_SHARDS)
            and all(map(shards, engines))
        ),
        timeout=30,
    )
