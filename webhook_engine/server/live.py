"""Streams of changes: pages are notified when something of their application changes, instead of polling.

A server-sent event says only that there is something new; the page then makes its usual requests. One database query a
second serves all streams of an application, so that changes made by other engines are seen, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web

from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.server.auth import Principal
from webhook_engine.server.errors import ApiError
from webhook_engine.store.insight import InsightStore

__all__ = ["MAX_STREAMS", "MAX_STREAMS_OF_TOKEN", "LiveStreams"]

MAX_STREAMS: Final = 256
MAX_STREAMS_OF_TOKEN: Final = 8
LOOK_EVERY_S: Final = 1.0
CHECK_EVERY_S: Final = 1.0
"""How often to check that the token is still valid and the client still connected."""
BEAT_S: Final = 15.0
"""How often a keep-alive comment is sent."""
LONGEST_S: Final = 3600.0
"""The longest life of a stream; the page then opens another one."""

log = get_logger("server")

_OPENED = b"retry: 2000\n\nevent: open\ndata: {}\n\n"
_CHANGED = b"event: changed\ndata: {}\n\n"
_BEAT = b": here\n\n"
_HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "server": "webhook-engine",
    "access-control-allow-origin": "*",
}


class LiveStreams:
    """The open streams of a server."""

    def __init__(self, insight: InsightStore) -> None:
        self._insight = insight
        self._watches: dict[str, _Watch] = {}
        self._of_token: Counter[str] = Counter()
        self._streams = 0
        self._closing = False

    @property
    def open(self) -> int:
        """The number of open streams."""
        return self._streams

    async def serve(
        self, request: web.BaseRequest, application_id: str, principal: Principal, check: Callable[[], object]
    ) -> web.StreamResponse:
        """Notify a client of changes until it leaves, the server stops, or ``check`` raises ``ApiError`` for its token.

        Raises ``ApiError`` (429) if there are too many streams.
        """
        token = principal.subjects[0]
        if self._closing or self._streams >= MAX_STREAMS or self._of_token[token] >= MAX_STREAMS_OF_TOKEN:
            raise ApiError(
                429, "too_many_streams", "There are too many streams of changes; ask again later.", retry_after_s=30
            )
        self._streams += 1
        self._of_token[token] += 1
        watch = self._watches.get(application_id)
        if watch is None:
            watch = self._watches[application_id] = _Watch(self._insight, application_id)
        changed = watch.join()
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await response.prepare(request)
            await response.write(_OPENED)
            await self._tell(response, request, changed, check)
        except (ConnectionError, ApiError):
            pass  # The client has left, or its token is no longer valid.
        finally:
            watch.leave(changed)
            if not watch.streams:
                watch.stop()
                del self._watches[application_id]
            self._streams -= 1
            self._of_token[token] -= 1
            if not self._of_token[token]:
                del self._of_token[token]
        return response

    async def close(self) -> None:
        """End all streams, and open no others."""
        self._closing = True
        for watch in self._watches.values():
            watch.tell()

    async def _tell(
        self,
        response: web.StreamResponse,
        request: web.BaseRequest,
        changed: asyncio.Event,
        check: Callable[[], object],
    ) -> None:
        loop = asyncio.get_running_loop()
        until, beat_at = loop.time() + LONGEST_S, loop.time() + BEAT_S
        while not self._closing and loop.time() < until:
            if request.transport is None or request.transport.is_closing():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_EVERY_S):
                    await changed.wait()
            if self._closing:
                return
            check()
            if changed.is_set():
                changed.clear()
                await response.write(_CHANGED)
            if loop.time() >= beat_at:
                beat_at = loop.time() + BEAT_S
                await response.write(_BEAT)


class _Watch:
    """Polls an application for all streams that are subscribed to it."""

    def __init__(self, insight: InsightStore, application_id: str) -> None:
        self.streams: set[asyncio.Event] = set()
        self._insight = insight
        self._application_id = application_id
        self._looking = asyncio.create_task(self._look(), name="webhook-engine-live")

    def join(self) -> asyncio.Event:
        changed = asyncio.Event()
        self.streams.add(changed)
        return changed

    def leave(self, changed: asyncio.Event) -> None:
        self.streams.discard(changed)

    def tell(self) -> None:
        for changed in self.streams:
            changed.set()

    def stop(self) -> None:
        self._looking.cancel()

    async def _look(self) -> None:
        seen: str | None = None
        while True:
            try:
                pulse = await self._insight.pulse(self._application_id)
            except StoreError as error:
                log.debug("live.unreadable", application_id=self._application_id, error=str(error))
            else:
                if seen is not None and pulse != seen:
                    self.tell()
                seen = pulse
            await asyncio.sleep(LOOK_EVERY_S)
