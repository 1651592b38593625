"""Reads requests that are plain from the bytes of a connection, in whatever pieces they come. No I/O.

A request is plain if it can be read in only one way: HTTP/1.1 on a connection that stays open, an ASCII head, each
header once, a body with a declared length, and no bytes after it yet. All others raise :class:`NotPlainError`;
the caller still has their bytes and can parse them with aiohttp.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict, CIMultiDictProxy

__all__ = ["NotPlainError", "PlainReader", "PlainRequest"]

MAX_HEADERS: Final = 64
MAX_HEAD: Final = 8 * 1024
"""Bytes; less than aiohttp takes for a single line, so that none is too long for it."""
_ASKS_FOR_MORE: Final = frozenset({"transfer-encoding", "expect", "upgrade", "sec-websocket-key1"})


class NotPlainError(Exception):
    """The bytes are not a plain request, or are more than one."""


class PlainRequest(NamedTuple):
    """A request that was read to its end."""

    method: str
    target: str
    """As it was sent; it begins with a slash."""
    headers: CIMultiDictProxy[str]
    body: bytes


class PlainReader:
    """One request after the other."""

    __slots__ = ("_body", "_complete", "_headers", "_parser", "_plain", "_size", "_target")

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._begin()

    def feed(self, data: bytes) -> PlainRequest | None:
        """Take more bytes: the request, if they complete it. Raises ``NotPlainError``, after which it is of no use."""
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

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins: the first, or one that did not wait for it."""
        self._plain = not self._complete

    def on_url(self, piece: bytes) -> None:
        """A piece of the target."""
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is read."""
        self._headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """The body follows."""
        if self._parser.get_http_version() != "1.1" or not self._parser.should_keep_alive():
            self._plain = False

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        self._body = self._body + piece if self._body else piece

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._complete = True
