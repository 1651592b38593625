"""Requests on the wire (RFC 9112): a head, most of which is the same each time, and a body."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from multidict import CIMultiDict
from yarl import URL

if TYPE_CHECKING:
    from webhook_engine.delivery.http.connection import Origin
    from webhook_engine.delivery.http.pool import Pool
    from webhook_engine.delivery.http.tls import Identity

__all__ = ["Destination", "Prepared", "beginning", "head"]

_LENGTHS = ("Content-Length", "Transfer-Encoding")
_BREAKING = "\r\n\0"


class Prepared(NamedTuple):
    """The parts that are the same for all requests to a destination."""

    pool: Pool
    """The pool that they use."""
    origin: Origin
    """The destination's origin, or the proxy."""
    target: Origin
    beginning: bytes
    ending: str
    """Header lines for the proxy alone."""
    checked_first: bool
    """Whether the target's addresses are checked before each request, because the proxy connects to it."""


class Destination:
    """A URL, and the headers that every request to it carries.

    Headers that frame the body are left out, since on a shared connection a false length would allow request smuggling.
    So are credentials in the URL, which belong in the ``authorization`` header.
    """

    __slots__ = ("application_id", "headers", "identity", "is_token_server", "method", "prepared", "timeout_s", "url")

    def __init__(
        self,
        url: URL,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        application_id: str = "",
        *,
        timeout_s: float | None = None,
        identity: Identity | None = None,
        is_token_server: bool = False,
        method: str = "POST",
    ) -> None:
        self.url = url.with_user(None) if url.raw_user is not None or url.raw_password is not None else url
        self.headers = CIMultiDict(headers)
        for name in _LENGTHS:
            self.headers.popall(name, None)
        self.application_id = application_id
        """The application that owns it; shared resources such as DNS look-ups are divided fairly among applications."""
        self.method = method
        self.timeout_s = timeout_s
        """Timeout of a whole exchange; ``None``: the sender's default."""
        self.identity = identity
        """Our TLS identity for this destination; ``None``: none."""
        self.is_token_server = is_token_server
        """It is a token server; its responses have a limit of their own, large enough for a token."""
        self.prepared: Prepared | None = None
        """Cached by the sender."""

    def with_timeout(self, timeout_s: float | None) -> Destination:
        """The destination with another timeout."""
        other = copy.copy(self)
        other.timeout_s = timeout_s
        return other


def beginning(destination: Destination, *, through_proxy: bool) -> bytes:
    """The lines that all requests to a destination begin with: the request line, ``Host``, and its headers.

    A proxy gets the whole URL, a server the path. Raises ``ValueError`` for characters that HTTP does not allow.
    """
    url = destination.url
    target = str(url.with_fragment(None)) if through_proxy else url.raw_path_qs
    headers = CIMultiDict(host=url.host_port_subcomponent or "")
    headers.update(destination.headers)
    headers.setdefault("Accept", "*/*")
    lines = [f"{destination.method} {target} HTTP/1.1", f"Host: {headers.pop('Host')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    for line in lines:
        if any(character in line for character in _BREAKING):
            name = line.partition(":")[0]
            raise ValueError(f"a line break or NUL in {name[:100]!r}")
    return "".join([line + "\r\n" for line in lines]).encode()


def head(beginning: bytes, further: str, length: int) -> bytes:
    """The head of one request: its beginning, further header lines, each with its line break, and the length."""
    return b"%b%bContent-Length: %d\r\n\r\n" % (beginning, further.encode(), length)
