"""Parses plain requests from the bytes of a connection, in pieces of any size. No I/O.

A request is plain if it can be read in only one way: HTTP/1.1 on a connection that stays open, an ASCII head, each
header once, a body with a declared length, and no bytes after it yet. All others raise :class:`NotPlainError`; the
caller still has their bytes and can parse them with aiohttp.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict, CIMultiDictProxy

__all__ = ["NotPlainError", "PlainReader", "PlainRequest"]

MAX_HEADERS: Final = 64
MAX_HEAD: Final = 8 * 1024
"""Bytes; less than aiohttp's limit for a single line, so that no line is too long for it."""
_ASKS_FOR_MORE: Final = frozenset({"transfer-encoding", "expect", "upgrade", "sec-websocket-key1"})


class NotPlainError(Exception):
    """The bytes are not a plain request, or are more than one."""


class PlainRequest(NamedTuple):
    """A complete request."""

    method: str
    target: str
    """The request target as sent; it begins with a slash."""
    headers: CIMultiDictProxy[str]
    body: bytes


class PlainReader:
    """Reads one request after the other."""

    __slots__ = ("_body", "_complete", "_headers", "_parser", "_plain", "_size", "_target")

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._begin()

    def feed(self, data: bytes) -> PlainRequest | None:
        """Parse more bytes; returns the request once it is complete.

        Raises ``NotPlainError``, after which the reader must not be used again.
        """
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            raise NotPlainError from None
        if not self._plain or len(self._headers) > MAX_HEADERS:
            raise NotPlainError
        self._size += len(data)
        if not self._complete:
            return None
        if self._size - len(self._body) > MAX_HEAD:
            raise NotPlainError
        try:
            headers = [(name.decode("ascii").lower(), value.decode("ascii")) for name, value in self._headers]
            target = self._target.decode("ascii")
        except UnicodeDecodeError:
            raise NotPlainError from None
        names = {name for name, _ in headers}
        if len(names) < len(headers) or "host" not in names or not _ASKS_FOR_MORE.isdisjoint(names):
            raise NotPlainError
        if not target.startswith("/") or "#" in target:
            raise NotPlainError
        method = self._parser.get_method().decode("ascii")
        request = PlainRequest(method, target, CIMultiDictProxy(CIMultiDict(headers)), self._body)
        self._begin()
        return request

    def _begin(self) -> None:
        self._complete = False
        self._plain = True
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._size = 0

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        """Start a request; refuse a second one in the same bytes."""
        self._plain = not self._complete

    def on_url(self, piece: bytes) -> None:
        """Add a piece of the target."""
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self._headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Check the headers before the body."""
        if self._parser.get_http_version() != "1.1" or not self._parser.should_keep_alive():
            self._plain = False

    def on_body(self, piece: bytes) -> None:
        """Add a piece of the body."""
        self._body = self._body + piece if self._body else piece

    def on_message_complete(self) -> None:
        """Complete the request."""
        self._complete = True
