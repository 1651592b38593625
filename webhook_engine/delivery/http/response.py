"""What came of one exchange with a receiver: a response, or why there is none."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from webhook_engine.delivery.troubles import Lack

__all__ = ["FailureKind", "NoResponseError", "OwnTroubleError", "Response", "Timing"]


class FailureKind(StrEnum):
    """In what way an exchange failed."""

    STATUS = "status"
    """A response came, with a status outside 200-299."""
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    """There was no connection, or it ended before the response."""
    TLS = "tls"
    BLOCKED = "blocked"
    TRANSFORMATION = "transformation"
    """What the endpoint's transformation made cannot be sent, or it made nothing."""
    AUTHENTICATION = "authentication"
    """There is no access token to send with the request."""
    PROTOCOL = "protocol"
    """What came is not HTTP, or broke off; or the request cannot be put into HTTP."""
    OWN = "own"
    """The engine itself lacked something, such as a file descriptor or its proxy: not the receiver's failure."""


class Timing(msgspec.Struct, frozen=True, gc=False):
    """How long the parts of an exchange took, in microseconds; ``None``: not done, as on a connection that was kept."""

    lookup_us: int | None
    connect_us: int | None
    tls_us: int | None
    first_byte_us: int | None
    """From the request to the first byte of the response."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """What came of one exchange."""

    status_code: int
    """0 where none came."""
    text: str
    """The body, cut to the limit (base64 if it is not UTF-8); or what went wrong."""
    failure: FailureKind | None
    duration_ms: int
    retry_after: str | None = None
    """The header as it came."""
    control: str | None = None
    """The ``webhook-delivery`` header as it came."""
    lack: Lack | None = None
    """What the engine lacked, where the failure is its own."""
    timed_out: bool = False
    """The time was over before the response was complete. If its head was, the status stands."""
    sent: bool = True
    """Whether anything of the request may have been sent; without a connection nothing was."""
    timing: Timing | None = None
    """``None`` where no connection was begun."""
    head: bytes = b""
    """The status line and the headers, as they came."""


class NoResponseError(Exception):
    """There is no response to a request: in what way that failed, and the text for the attempt."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.lack: Lack | None = None


class OwnTroubleError(NoResponseError):
    """There is no response because the engine itself lacked something."""

    def __init__(self, lack: Lack, text: str) -> None:
        super().__init__(FailureKind.OWN, text)
        self.lack = lack
