"""The HTTP connection: aiohttp's, with bounds against abuse and with errors as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from webhook_engine.log import get_logger
from webhook_engine.server.errors import ApiError

__all__ = ["BodyTooLargeError", "HttpServer", "SlowBodyError", "read_body"]

IDLE_S = 75.0
"""How long a connection may take from one answer to the end of the next request's headers."""
BODY_S = 30.0
"""How long a request's body may take."""
MAX_HEADER_LINE = 16 * 1024
MAX_HEADERS = 128
DRAINED_BYTES = 64 * 1024 * 1024
"""How much of a body that is too large is read, so that the client sees the answer and not a broken connection."""

log = get_logger("server")


class BodyTooLargeError(ApiError):
    """The body is larger than ``server.max_body``."""

    def __init__(self) -> None:
        super().__init__(413, "payload_too_large", "Request payload is too large.")


class SlowBodyError(ApiError):
    """The body did not come in time."""

    def __init__(self) -> None:
        super().__init__(408, "request_timeout", f"The request's body did not arrive within {BODY_S:.0f} seconds.")


class HttpServer(web.Server):
    """Makes connections."""

    def __call__(self) -> web.RequestHandler:
        """One connection."""
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=IDLE_S,
            max_line_size=MAX_HEADER_LINE,
            max_field_size=MAX_HEADER_LINE,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
        )


class _Connection(web.RequestHandler):
    """Answers what is no HTTP, or not any that can be handled, with JSON too."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """An error that no route has seen."""
        if status == 400:
            reason = _first_line(message or "") or "it is malformed"
            error = ApiError(400, "bad_request", f"This is not a request that can be read: {reason}")
            body = error.body
        else:
            log.error("request.failed", status=status, error=repr(exc), exc_info=exc)
            body = b"{}"
        if request.writer.output_size > 0:
            raise ConnectionError("the answer was begun already")
        response = web.Response(status=status, body=body, content_type="application/json")
        response.force_close()
        return response


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes; raises ``BodyTooLargeError`` after draining, or ``SlowBodyError``."""
    content = request.content
    if content.is_eof():  # it came together with the headers
        body = content.read_nowait(-1)
        if len(body) > limit:
            raise BodyTooLargeError
        return body
    try:
        async with asyncio.timeout(BODY_S):
            if "expect" in request.headers:
                await _continue(request)
            return await _collect(content.readany, limit)
    except TimeoutError:
        raise SlowBodyError from None


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to go on with the body."""
    if request.headers["expect"].lower() != "100-continue":
        raise ApiError(417, "expectation_failed", "Only 100-continue can be expected.")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0


async def _collect(read: Callable[[], Awaitable[bytes]], limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await read():
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
            if size > limit + DRAINED_BYTES:
                break
    if size > limit:
        raise BodyTooLargeError
    return b"".join(parts)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]
