"""``/metrics``. The Prometheus library is loaded with the first request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from webhook_engine.core import EngineCore
from webhook_engine.delivery.measures import COMMIT_SECONDS, Histogram
from webhook_engine.server.acceptor import Acceptor
from webhook_engine.server.errors import ApiError

if TYPE_CHECKING:
    from webhook_engine.server.metrics import Exposition

__all__ = ["MetricsPage"]

LOOP_LAG_EVERY_S = 0.25


class MetricsPage:
    """Serves ``/metrics``, and measures the event loop's delays, between :meth:`start` and :meth:`stop`."""

    def __init__(self, engine: EngineCore) -> None:
        self._engine = engine
        self._loop_lag = Histogram(COMMIT_SECONDS)
        self._acceptor: Acceptor | None = None
        self._exposition: Exposition | None = None
        self._listening: asyncio.Task[None] | None = None

    def counts(self, acceptor: Acceptor | None) -> None:
        """Include the metrics of these connections from now on."""
        self._acceptor = acceptor

    def start(self) -> None:
        """Start measuring the event loop."""
        self._listening = asyncio.create_task(self._measure_loop(), name="webhook-engine-loop-lag")

    async def stop(self) -> None:
        """Stop measuring. Stopping twice is harmless."""
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None

    async def __call__(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        """Answer one request."""
        if segments:
            raise ApiError(404, "not_found", "There is no such page.")
        if request.method not in ("GET", "HEAD"):
            raise ApiError(405, "method_not_allowed", "Metrics can only be read.")
        if self._exposition is None:
            self._exposition = self._exposed()
        body, content_type = await self._exposition.text(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    def _exposed(self) -> Exposition:
        from webhook_engine.server.metrics import Exposition  # noqa: PLC0415 (few daemons are scraped)

        return Exposition(self._engine, self._loop_lag, lambda: self._acceptor)

    async def _measure_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wanted = loop.time() + LOOP_LAG_EVERY_S
            await asyncio.sleep(LOOP_LAG_EVERY_S)
            self._loop_lag.observe(max(0.0, loop.time() - wanted))
