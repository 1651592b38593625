"""What the small programs of these tests send and receive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from webhook_engine import Engine, Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = ["127.0.0.1/32"]
BODY = b'{ "type": "invoice.paid" }'


def signed(body: bytes = BODY) -> dict[str, str]:
    """The headers of a genuine webhook."""
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, body)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


async def prepare(database: Path, url: str) -> None:
    async with Engine.open(database) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url=url)
