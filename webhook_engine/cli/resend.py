"""``webhook-engine resend``: one more attempt, now."""

from __future__ import annotations

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import AppArgument, EndpointArgument, connected
from webhook_engine.cli.message import MessageArgument
from webhook_engine.cli.show import said

__all__ = ["resend"]


@connected
def resend(client: Client, app: AppArgument, message: MessageArgument, endpoint: EndpointArgument) -> None:
    """Send a message to an endpoint once more, now, whatever its status.

    Also to an endpoint that is disabled. If it succeeds, the retries that remain are cancelled; if not, they stay.
    """
    body = client.post(["app", app, "msg", message, "endpoint", endpoint, "resend"])
    said(
        client,
        body,
        f"{message} goes to {endpoint} once more; `webhook-engine message attempts {app} {message}` shows what comes "
        "of it",
    )
