"""Converts a request and its response between ASGI and HTTP/1.1 bytes. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import httptools

from webhook_engine.server.errors import ApiError

__all__ = ["CutOffError", "RelayedResponse", "request_head"]

_OF_THE_CONNECTION = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Hop-by-hop headers, which are not forwarded; the content length is set again."""
_OF_THE_HOST = frozenset({b"connection", b"date", b"keep-alive", b"server", b"transfer-encoding"})
"""Headers of a response that the host's own server adds."""
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class CutOffError(Exception):
    """A response ended before it was complete."""


def request_head(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]], length: int) -> bytes:
    """The request line and headers; raises ``ApiError`` (400) if they contain invalid characters."""
    if not _TOKEN.fullmatch(method.encode("utf-8", "replace")):
        raise _bad("its method")
    lines = [b"%s %s HTTP/1.1" % (method.encode(), quote(target, safe=_PRINTABLE).encode())]
    has_host = False
    for name, value in headers:
        lowered = name.lower()
        if lowered in _OF_THE_CONNECTION:
            continue
        if not _TOKEN.fullmatch(name) or b"\r" in value or b"\n" in value or b"\0" in value:
            raise _bad("a header")
        has_host = has_host or lowered == b"host"
        lines.append(b"%s: %s" % (name, value))
    if not has_host:
        lines.append(b"host: localhost")
    if length or method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


class RelayedResponse:
    """The response to one request, as received so far."""

    def __init__(self, method: str) -> None:
        self.headed = False
        """Whether the headers are complete."""
        self.complete = False
        self.reusable = False
        """Whether the connection may be used again once the response is complete."""
        self._bodiless = method == "HEAD"
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Parse more bytes; raises ``CutOffError`` at the end of the connection or for what is not HTTP."""
        if not data:
            raise CutOffError
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.complete:
                raise CutOffError(str(error)) from error

    def start(self) -> dict[str, object]:
        """The ASGI message that starts the response."""
        return {"type": "http.response.start", "status": self._status, "headers": self._headers}

    def taken(self) -> bytes:
        """The part of the body received since the last call."""
        body = b"".join(self._pieces)
        self._pieces.clear()
        return body

    # Callbacks of the parser:

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        lowered = name.lower()
        if lowered not in _OF_THE_HOST:
            self._headers.append((lowered, value))

    def on_headers_complete(self) -> None:
        """Read the status; the headers are complete."""
        self._status = self._parser.get_status_code()
        self.headed = True
        self.reusable = self._parser.should_keep_alive()
        if self._bodiless:
            self.complete = True

    def on_body(self, piece: bytes) -> None:
        """Add a piece of the body."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Mark the response as complete."""
        self.complete = True


def _bad(what: str) -> ApiError:
    return ApiError(400, "bad_request", f"This is not a request that can be read: {what} has characters of no use.")
