"""Runs an engine while an asynchronous site runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from webhook_engine.engine import Engine
from webhook_engine.shared import SharedEngine

__all__ = ["running"]


@asynccontextmanager
async def running(engine: Engine | SharedEngine) -> AsyncIterator[None]:
    """Start and stop the engine. A shared engine that fails to start does not keep the site from starting."""
    if isinstance(engine, SharedEngine):
        await engine.start(persist=True)
        try:
            yield
        finally:
            await engine.stop()
    else:
        async with engine:
            yield
