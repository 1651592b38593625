"""``webhook-engine recover``: send again everything that failed for an endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_engine.cli.client import Client
from webhook_engine.cli.connected import AppArgument, EndpointArgument, between, connected, instant
from webhook_engine.cli.show import decoded, said
from webhook_engine.cli.task import Task, follow
from webhook_engine.model import AttemptStatus

__all__ = ["Detach", "Since", "Until", "begun", "recover"]

COUNTED = 2_500
"""The most failed messages that are counted in advance, for the total of the progress bar."""

Since = Annotated[str, typer.Option(metavar="TIME", help="A time, or how long ago, as 3h or 2d.", show_default=False)]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Up to then, likewise; by default up to now.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for the end; print the task.")]


@connected
def recover(
    client: Client,
    app: AppArgument,
    endpoint: EndpointArgument,
    since: Since,
    until: Until = None,
    detach: Detach = False,
) -> None:
    """Send again everything that failed for an endpoint since a time, also what waits for a retry.

    It is done by the daemon in the background; this command follows it, and can be left at any time.
    """
    span = {"since": instant(since, "--since"), "until": instant(until, "--until")}
    path = ["app", app, "endpoint", endpoint]
    total = None
    if not detach:
        query = {**between(since, until), "with_content": False}
        found = [
            client.listing([*path, "msg"], {**query, "status": int(status)}, most=COUNTED)
            for status in (AttemptStatus.FAIL, AttemptStatus.SENDING)
        ]
        total = sum(len(one.data) for one in found) if all(one.done for one in found) else None
    begun(client, [*path, "recover"], span, "failed messages are scheduled again", detach=detach, total=total)


def begun(
    client: Client, path: list[str], span: dict[str, str | None], done: str, *, detach: bool, total: int | None = None
) -> None:
    """Start a task, and follow it unless ``detach``."""
    body = client.post(path, {name: value for name, value in span.items() if value is not None})
    started = decoded(body, Task)
    if detach:
        said(client, body, f"{started.id} has begun; `webhook-engine task wait {started.id}` follows it")
    else:
        follow(client, started.id, done, total)
