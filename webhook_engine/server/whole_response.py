"""A complete response, made and written as one piece: one buffer, one write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, web

__all__ = ["WholeResponses"]

_NO_MORE: Mapping[str, str] = {}


class WholeResponse(web.StreamResponse):
    """Writes its complete bytes, headers and body, when aiohttp asks for the headers."""

    def __init__(self, status: int, whole: bytes) -> None:
        super().__init__(status=status)
        self._whole = whole

    @property
    def keep_alive(self) -> bool:
        """Always true: this class is used only where the connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write the whole response, and wait until the client has room for more."""
        await request.writer.write_eof(self._whole)

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the body is written already."""


class WholeResponses:
    """Builds whole responses; the header lines that stay the same within a second are cached."""

    def __init__(self, headers: Mapping[str, str], now_s: Callable[[], int]) -> None:
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._now_s = now_s
        self._second = -1
        self._heads: dict[int, bytes] = {}

    def of(self, request: web.BaseRequest, status: int, body: bytes) -> WholeResponse | None:
        """The response; ``None`` if the connection closes after it, or the body is not to be sent."""
        if not request.keep_alive or request.version != HttpVersion11 or request.method == "HEAD":
            return None
        return WholeResponse(status, self.whole(status, body))

    def whole(self, status: int, body: bytes, headers: Mapping[str, str] = _NO_MORE) -> bytes:
        """The complete bytes of a response; ``headers`` are added to the usual ones."""
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
