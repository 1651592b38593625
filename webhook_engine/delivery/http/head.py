"""Parsing the head of a response. Pure, and lenient, because the status decides.

A receiver that has sent a complete head with a final status has processed the request, or refused it. Errors in the
rest of the head do not change that. They only make the connection unfit for reuse, since it is uncertain where the next
response would begin.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

__all__ = ["MAX_HEAD", "Body", "Head", "MalformedError", "check_beginning", "end_of_head", "read_head"]

MAX_HEAD = 256 * 1024
"""Bytes of heads read for one response, interim responses included."""

_MAX_SHOWN = 40
_BEGINNING = b"HTTP/"
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_FIELDS = rb"\n(content-length|transfer-encoding|connection|retry-after|webhook-delivery)[ \t]*:[ \t]*([^\r\n]*)"
_STATUS_LINE = re.compile(rb"HTTP/([0-9])(?:\.([0-9]+))?[ \t]+([0-9]{3})(?:[ \t]([^\n]*?))?\r?\n")
_WELL_FORMED = re.compile(rb"HTTP/[0-9]\.[0-9] [0-9]{3}(?: [^\r]*+)?\r\n(?:" + _NAME + rb":[^\r]*+\r\n)*+\r\n")
_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FIELD = re.compile(_FIELDS, re.IGNORECASE)
_LOWER_FIELD = re.compile(_FIELDS)
"""For a lower-cased head, since lower-casing it is faster than matching case-insensitively."""
_USUAL = b"HTTP/1.1 2"
_LENGTH = re.compile(rb"[0-9]{1,18}")
_BODILESS = (204, 304)


class MalformedError(Exception):
    """The data received cannot be the head of a response."""


class Body(Enum):
    """How the end of the body is determined."""

    NONE = "there is none"
    LENGTH = "by its length"
    CHUNKED = "by its chunks"
    CLOSE = "with the connection"


_BY_LENGTH = Body.LENGTH


class Head(msgspec.Struct, frozen=True, gc=False):
    """A parsed head."""

    status: int
    reason: bytes
    size: int
    """Its size in bytes."""
    body: Body
    length: int
    """Length of the body in bytes, if known beforehand."""
    reusable: bool
    """Whether the connection may be reused after the body."""
    odd: str | None = None
    """What is wrong with the head, as text for the log."""
    retry_after: str | None = None
    """The ``Retry-After`` header as received."""
    control: str | None = None
    """The ``webhook-delivery`` header as received."""
    raw: bytes = b""
    """The bytes of the head."""


def check_beginning(data: bytes | bytearray) -> None:
    """Raise ``MalformedError`` as soon as the data cannot become a status line."""
    if data.startswith(_BEGINNING) if len(data) >= len(_BEGINNING) else _BEGINNING.startswith(data):
        line_end = data.find(b"\n")
        if line_end < 0 or _STATUS_LINE.match(data):
            return
    shown = ascii(bytes(data[:_MAX_SHOWN]).partition(b"\n")[0].rstrip().decode("latin-1"))
    raise MalformedError(f"it begins with {shown}")


def end_of_head(data: bytes | bytearray, start: int = 0) -> int:
    """The end of the head at the beginning of ``data``; -1 if it is incomplete. The end is not before ``start``."""
    found = _END.search(data, max(0, start - 2))
    return found.end() if found else -1


def read_head(data: bytes) -> Head | None:
    """Parse the head at the beginning of ``data``; ``None`` if it is incomplete.

    Raises ``MalformedError`` if it is no head of a response.
    """
    whole = _WELL_FORMED.match(data)
    if whole is not None:
        size = whole.end()
        # All line breaks are CRLF, so no other byte can be taken for one.
        if data.count(b"\n", 0, size) == data.count(b"\r\n", 0, size) and data.find(b"\0", 0, size) < 0:
            raw = data[:size]
            fields = _LOWER_FIELD.findall(raw.lower())
            if data.startswith(_USUAL) and data[9:12] != b"204":
                length = None
                for name, value in fields:
                    if name == b"content-length" and length is None and value.isdigit() and len(value) <= 18:
                        length = int(value)
                    elif name != b"connection" or value != b"keep-alive":
                        break
                else:
                    if length is not None:
                        return Head(int(data[9:12]), b"", size, _BY_LENGTH, length, True, raw=raw)
            return _interpreted(raw, None)
    size = end_of_head(data)
    if size < 0:
        check_beginning(data)
        return None
    return _interpreted(data[:size], "a header line is not well formed")


def _interpreted(head: bytes, odd: str | None) -> Head:
    """Interpret a complete head."""
    line = _STATUS_LINE.match(head)
    if line is None:
        check_beginning(head)
        raise MalformedError("it has no status line")
    major, minor, code, reason = line.groups()
    status = int(code)
    if status < 100:
        raise MalformedError(f"there is no status {status:03}")
    fields = head[line.end() - 1 :]
    if odd:
        fields = _FOLD.sub(b" ", fields)
    lengths: list[bytes] = []
    codings: list[bytes] = []
    options: list[bytes] = []
    retry_after = control = None
    for name, value in _FIELD.findall(fields):
        match name.lower():
            case b"content-length":
                lengths += value.split(b",")
            case b"transfer-encoding":
                codings += value.split(b",")
            case b"connection":
                options += value.split(b",")
            case b"retry-after":
                retry_after = retry_after or _text(value)
            case _:
                control = control or _text(value)
    body, length, doubt = _body(status, lengths, codings)
    odd = odd or doubt
    reusable = (
        body is not Body.CLOSE
        and odd is None
        and status >= 200
        and _kept_alive(options, is_1_1=(major, minor) == (b"1", b"1"))
    )
    return Head(status, reason or b"", len(head), body, length, reusable, odd, retry_after, control, head)


def _body(status: int, lengths: list[bytes], codings: list[bytes]) -> tuple[Body, int, str | None]:
    """How the body ends, its length, and what is wrong with its headers."""
    if status < 200 or status in _BODILESS:
        return Body.NONE, 0, None
    if not codings and not lengths:
        return Body.CLOSE, 0, None
    known = [int(length) for length in map(bytes.strip, lengths) if _LENGTH.fullmatch(length)]
    if not codings and len(known) == len(lengths) == 1:
        return Body.LENGTH, known[0], None
    named = [coding.strip().lower() for coding in codings]
    if named and named[-1] == b"chunked":
        odd = "it has both a Content-Length and a Transfer-Encoding" if lengths else None
        return Body.CHUNKED, 0, odd or ("it has more than one transfer coding" if len(named) > 1 else None)
    if any(coding != b"identity" for coding in named):
        return Body.CLOSE, 0, "its last transfer coding is not chunked"
    if not known:
        return Body.CLOSE, 0, "its Content-Length is no number" if lengths else "its transfer coding is identity"
    if len(set(known)) > 1 or len(known) < len(lengths):
        return Body.LENGTH, min(known), "its lengths contradict each other"
    return Body.LENGTH, known[0], "it gives its length more than once"


def _kept_alive(options: list[bytes], *, is_1_1: bool) -> bool:
    named = {option.strip().lower() for option in options}
    return b"close" not in named and (is_1_1 or b"keep-alive" in named)


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip()
