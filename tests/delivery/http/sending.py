"""What the tests of the sender share."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from receivers import Receiver
from yarl import URL

from webhook_engine.clock import Clock
from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import Response
from webhook_engine.delivery.http.sender import Sender

INBOX = "/play/in/0123456789abcdef"
TIMEOUT_S = 0.4
"""For what times out."""
PATIENCE_S = 30.0
"""For everything else, so that a busy machine is no fault of the other side."""
LIMIT = 1_000
LOOPBACK = AddressGuard([ip_network("127.0.0.0/8")])
NOTHING_PRIVATE = AddressGuard([])
HEADERS = (
    ("content-type", "application/json"),
    ("user-agent", "Webhook-Engine/1"),
    ("webhook-id", "msg_1"),
    ("X-Own-Case", "kept"),
)


def make_sender(**changes: Any) -> Sender:
    settings: dict[str, Any] = {
        "timeout_s": PATIENCE_S,
        "response_limit": LIMIT,
        "guard": LOOPBACK,
        "proxy": None,
        "clock": Clock(),
    }
    return Sender(**(settings | changes))


async def send(sender: Sender, url: str, body: bytes = b'{"id":1}') -> Response:
    return await sender.send(Destination(URL(url, encoded=True), HEADERS), "", body)


async def exchange(receiver: Receiver, **changes: Any) -> Response:
    async with receiver, make_sender(**changes) as sender:
        return await send(sender, receiver.url)
