"""What a request is on the wire (RFC 9112): a head, most of which is the same each time, and a body."""

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
    """What is the same for all requests to a destination."""

    pool: Pool
    """The connections that they use."""
    origin: Origin
    """Where these lead to: the destination itself, or the proxy."""
    target: Origin
    beginning: bytes
    ending: str
    """Header lines for the proxy alone."""
    checked_first: bool
    """Whether the target is checked before each request: who connects to it is the proxy."""


class Destination:
    """A URL, and the headers that every request to it carries.

    Where a body ends is said by us only: on a connection that others use too, a false length would be an attack. So
    such headers are left out, and so is a user name in the URL, which belongs into the ``authorization`` header.
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
        """Whose it is; applications have a fair share each of what many want, such as looking up names."""
        self.method = method
        self.timeout_s = timeout_s
        """For a whole exchange; ``None``: the sender's own."""
        self.identity = identity
        """Who we are there, where TLS asks for it."""
        self.is_token_server = is_token_server
        """It is asked for an access token; of its responses as much is read as one may need."""
        self.prepared: Prepared | None = None
        """What the sender has prepared for it; its own affair."""

    def with_timeout(self, timeout_s: float | None) -> Destination:
        """The same with another time for a whole exchange."""
        other = copy.copy(self)
        other.timeout_s = timeout_s
        return other


def beginning(destination: Destination, *, through_proxy: bool) -> bytes:
    """The lines that all requests to a destination begin with: the request line, ``Host``, and its headers.

    A proxy is given the whole URL, a server the path. Raises ``ValueError`` for what HTTP cannot carry.
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
