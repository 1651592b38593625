"""Reading the responses of a connection, one after another, from bytes in pieces of any size. No I/O."""

from __future__ import annotations

from httptools import HttpParserError, HttpResponseParser

from webhook_engine.delivery.http.head import (
    MAX_HEAD,
    Body,
    Head,
    MalformedError,
    check_beginning,
    end_of_head,
    read_head,
)

__all__ = ["ResponseReader"]

MAX_INTERIM_RESPONSES = 100
"""Interim responses accepted before the final one, such as ``100 Continue`` or ``103 Early Hints``."""
_SWITCHING_PROTOCOLS = 101
_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
"""Makes the parser expect chunks: the real head was parsed before, more leniently than it would."""
CHUNK_OVERHEAD = 256 * 1024
"""Bytes allowed for chunk sizes, extensions and trailers, besides the body."""


LONGEST_LINE_LOOKED_AT = 4096
"""Up to so many bytes, each piece is checked for a valid status line; beyond, only for the end of the head."""
LONGEST_REMEMBERED = 4096
"""Bytes of the last response that are remembered, to recognize an identical one."""


class ResponseReader:
    """Reads one response; :meth:`begin` prepares for the next one."""

    __slots__ = (
        "_chunks",
        "_head_bytes",
        "_interim",
        "_pending",
        "_raw",
        "_same",
        "_same_head",
        "_searched",
        "body",
        "broken",
        "done",
        "head",
        "limit",
        "rest",
    )

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._chunks: HttpResponseParser | None = None
        self._pending: bytearray | None = None
        # Most receivers send the same response each time, so an identical one is not parsed again.
        self._same: bytes | None = None
        self._same_head: Head | None = None
        self.begin()

    def begin(self) -> None:
        """Expect a response."""
        self.head: Head | None = None
        """The final head, once it is complete."""
        self.body: bytes | bytearray = b""
        """The body so far; reading ends soon after the limit."""
        self.done = False
        """The response is complete, with its body."""
        self.rest = False
        """More data came than belongs to the response."""
        self.broken: str | None = None
        """Why the rest of the body cannot be read."""
        self._pending = None
        self._searched = 0
        self._head_bytes = 0
        self._interim = 0
        self._raw = 0
        self._chunks = None

    @property
    def reusable(self) -> bool:
        """Whether the next response certainly begins where this one ended."""
        return self.done and not self.rest and self.head is not None and self.head.reusable

    def feed(self, data: bytes) -> bool:
        """Process more bytes; returns whether reading is done. Raises ``MalformedError`` if this is no response."""
        if self.head is None:
            if data == self._same and not self._head_bytes:
                self.head = self._same_head
                self.body = data[self._same_head.size :] if self._same_head else b""
                self.done = True
                return True
            after = self._read_heads(data)
            if after is None or self.head is None:
                return False
            if self.head.body is Body.LENGTH and len(after) == self.head.length:
                if len(after) + self.head.size == len(data) <= LONGEST_REMEMBERED:
                    self._same, self._same_head = data, self.head
                self.body = after
                self.done = True
                return True
            data = after
        return self._read_body(self.head, data)

    def end(self, why: str | None) -> None:
        """The connection ended; ``why`` is the error, if any."""
        if self.head is not None and not self.done:
            self._chunks = None
            if self.head.body is Body.CLOSE and why is None:
                self.done = True
            else:
                self.broken = self.broken or why or "it ended too soon"

    def _read_heads(self, data: bytes) -> bytes | None:
        """Read interim heads and the final one; returns what follows it, or ``None`` while it is incomplete."""
        while True:
            self._head_bytes += len(data)
            if self._pending is not None:
                data = self._more(self._pending, data)
            elif data.startswith((b"\r", b"\n")):
                data = data.lstrip(b"\r\n")
            head = read_head(data) if data else None
            if head is None:
                if data:
                    self._pending = bytearray(data)
                    self._searched = len(data)
                self._check_size(self._head_bytes)
                return None
            after = data[head.size :]
            self._head_bytes -= len(after)
            self._check_size(self._head_bytes)
            if head.status >= 200 or head.status == _SWITCHING_PROTOCOLS:
                self.head = head
                return after
            self._interim += 1
            if self._interim > MAX_INTERIM_RESPONSES:
                raise MalformedError(f"more than {MAX_INTERIM_RESPONSES} interim responses ({head.status})")
            data = after

    def _more(self, pending: bytearray, data: bytes) -> bytes:
        """The head if it is complete now; empty otherwise."""
        known = len(pending)
        pending += data
        if end_of_head(pending, self._searched) >= 0:
            self._pending = None
            return bytes(pending)
        self._searched = len(pending)
        if known < LONGEST_LINE_LOOKED_AT:
            check_beginning(pending)
        return b""

    def _check_size(self, size: int) -> None:
        if size > MAX_HEAD:
            raise MalformedError(f"its headers are larger than {MAX_HEAD // 1024} kB")

    def _read_body(self, head: Head, data: bytes) -> bool:
        match head.body:
            case Body.NONE:
                self.done = True
                self.rest = bool(data)
            case Body.LENGTH:
                left = head.length - len(self.body)
                self.rest = len(data) > left
                self._keep(data[:left] if self.rest else data)
                self.done = len(self.body) == head.length
            case Body.CHUNKED:
                self._read_chunks(data)
            case Body.CLOSE:
                self._keep(data)
        return self.done or self.broken is not None or len(self.body) > self.limit

    def _keep(self, data: bytes) -> None:
        if not self.body:
            self.body = data
        elif isinstance(self.body, bytearray):
            self.body += data
        else:
            self.body = bytearray(self.body) + data

    def _read_chunks(self, data: bytes) -> None:
        if self._chunks is None:
            self._chunks = HttpResponseParser(self)
            self._chunks.feed_data(_CHUNKED_HEAD)
        self._raw += len(data)
        try:
            self._chunks.feed_data(data)
        except HttpParserError as error:
            if self.done:
                self.rest = True
            else:
                self.broken = f"its chunks are not valid: {error}"
        if self._raw - 4 * len(self.body) > CHUNK_OVERHEAD and not self.done:
            self.broken = "there is too much around its chunks"
        if self.done or self.broken is not None:
            self._chunks = None

    # Called by the parser of chunks.

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self.done:
            self._keep(data)

    def on_message_begin(self) -> None:
        """A message begins: the response, or extra data after it."""
        self.rest = self.done

    def on_message_complete(self) -> None:
        """The last chunk and its trailers were read."""
        self.done = True
