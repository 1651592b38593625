"""The result of one exchange with a receiver: a response, or why there is none."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from webhook_engine.delivery.troubles import Lack

__all__ = ["FailureKind", "NoResponseError", "OwnTroubleError", "Response", "Timing"]


class FailureKind(StrEnum):
    """How an exchange failed."""

    STATUS = "status"
    """A response came, with a status outside 200-299."""
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    """The connection could not be made, or ended before the response."""
    TLS = "tls"
    BLOCKED = "blocked"
    TRANSFORMATION = "transformation"
    """The endpoint's transformation failed, or its result cannot be sent."""
    AUTHENTICATION = "authentication"
    """No access token could be obtained for the request."""
    PROTOCOL = "protocol"
    """The response is not HTTP, or incomplete; or the request cannot be written as HTTP."""
    OWN = "own"
    """The engine itself lacked something, such as a file descriptor or its proxy: not the receiver's failure."""


class Timing(msgspec.Struct, frozen=True, gc=False):
    """The durations of the parts of an exchange, in microseconds; ``None``: not done, as on a reused connection."""

    lookup_us: int | None
    connect_us: int | None
    tls_us: int | None
    first_byte_us: int | None
    """From the request to the first byte of the response."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """The result of one exchange."""

    status_code: int
    """0 if no response came."""
    text: str
    """The body, cut to the limit (base64 if it is not UTF-8); or what went wrong."""
    failure: FailureKind | None
    duration_ms: int
    retry_after: str | None = None
    """The header as it came."""
    control: str | None = None
    """The ``webhook-delivery`` header as received."""
    lack: Lack | None = None
    """What the engine lacked, if the failure is its own."""
    timed_out: bool = False
    """The exchange timed out before the response was complete. If its head was complete, the status counts."""
    sent: bool = True
    """Whether anything of the request may have been sent; without a connection nothing was."""
    timing: Timing | None = None
    """``None`` if no connection was started."""
    head: bytes = b""
    """The status line and the headers, as received."""


class NoResponseError(Exception):
    """There is no response to a request; has the kind of failure and the text for the attempt."""

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
