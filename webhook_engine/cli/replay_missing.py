"""``webhook-engine replay-missing``: send an endpoint the messages that it never got."""

from __future__ import annotations

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import AppArgument, EndpointArgument, connected, instant
from webhook_engine.cli.recover import Detach, Since, Until, begun

__all__ = ["replay_missing"]


@connected
def replay_missing(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    since: Since,
    until: Until = None,
    detach: Detach = False,
) -> None:
    """Send an endpoint the messages since a time that it never had.

    That is what came before it was added, while it was disabled, or while its filters were other ones.
    """
    span = {"since": instant(since, "--since"), "until": instant(until, "--until")}
    path = ["app", app, "endpoint", endpoint, "replay-missing"]
    begun(client, path, span, "missed messages are scheduled", detach=detach)
