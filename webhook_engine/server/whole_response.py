"""A response that is known in full, made and written as one piece: one buffer, one write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, web

__all__ = ["WholeResponses"]

_NO_MORE: Mapping[str, str] = {}


class WholeResponse(web.StreamResponse):
    """Writes what it was given, headers and body, when aiohttp asks for the headers."""

    def __init__(self, status: int, whole: bytes) -> None:
        super().__init__(status=status)
        self._whole = whole

    @property
    def keep_alive(self) -> bool:
        """The connection stays open; it is not used for others."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write the whole response, and wait while the client does not read."""
        await request.writer.write_eof(self._whole)

    async def write_eof(self, data: bytes = b"") -> None:
        """It has been written."""


class WholeResponses:
    """Makes them; the lines of the head that are the same for all within a second are put together once."""

    def __init__(self, headers: Mapping[str, str], now_s: Callable[[], int]) -> None:
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._now_s = now_s
        self._second = -1
        self._heads: dict[int, bytes] = {}

    def of(self, request: web.BaseRequest, status: int, body: bytes) -> WholeResponse | None:
        """The response; ``None`` where the connection ends with it, or the body is not to be sent."""
        if not request.keep_alive or request.version != HttpVersion11 or request.method == "HEAD":
            return None
        return WholeResponse(status, self.whole(status, body))

    def whole(self, status: int, body: bytes, headers: Mapping[str, str] = _NO_MORE) -> bytes:
        """Everything of a response that is sent; ``headers`` are those of its own."""
        second = self._now_s()
        if second != self._second:
            self._second, self._heads = second, {}
        head = self._heads.get(status)
        if head is None:
            head = self._heads[status] = self._head(status)
        own = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() if headers else b""
        return b"%b%d\r\n%b\r\n%b" % (head, len(body), own, body)

    def _head(self, status: int) -> bytes:
        date = formatdate(self._second, usegmt=True)
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{self._lines}date: {date}\r\ncontent-length: ".encode()
        )
