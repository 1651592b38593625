"""``webhook-engine task``: background tasks of the daemon, and their progress."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from webhook_engine.cli.client import Client, UnreachableError
from webhook_engine.cli.connected import All, Iterator, Limit, connected, most
from webhook_engine.cli.show import decoded, said, show_json, show_list, show_one, when
from webhook_engine.cli.terminal import CommandError, err
from webhook_engine.clock import Clock

__all__ = ["follow", "task"]

task = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Background tasks: how a recover or a replay goes on."
)

LOOK_EVERY_S = 0.2
LOOK_AGAIN_S = 1
DAEMON_MAY_BE_AWAY_S = 60
RUNNING = "running"

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="Its id, qtask_….")]


class TaskStatus(StrEnum):
    """The status of a task, as a user writes it."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"


class Task(msgspec.Struct, rename="camel"):
    """The fields of a task that are printed."""

    id: str
    status: str
    task: str
    updated_at: datetime
    data: Mapping[str, Any] = {}

    @property
    def processed(self) -> int:
        """How many messages it has processed."""
        count = self.data.get("processed")
        return count if isinstance(count, int) else 0


_FIELDS = {
    "id": lambda one: one.id,
    "task": lambda one: one.task,
    "status": lambda one: "paused" if one.data.get("paused") else one.status,
    "messages": lambda one: str(one.processed),
    "error": lambda one: str(one.data.get("error") or ""),
    "updated": lambda one: when(one.updated_at),
}


@task.command("list")
@connected
def list_(
    client: Client,
    status: Annotated[TaskStatus | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    everything: All = False,
    iterator: Iterator = None,
) -> None:
    """List the background tasks, newest first."""
    query = {"status": status.value if status else None}
    found = client.listing(["background-task"], query, most=most(limit, everything), iterator=iterator)
    show_list(client, found, Task, {name: _FIELDS[name] for name in ("id", "task", "status", "messages", "updated")})


@task.command()
@connected
def get(client: Client, task: TaskArgument) -> None:
    """Show a background task as it stands."""
    show_one(client, client.get(["background-task", task]), Task, _FIELDS)


@task.command()
@connected
def pause(client: Client, task: TaskArgument) -> None:
    """Leave a background task where it stands, until it is resumed."""
    show_one(client, client.post(["background-task", task, "pause"]), Task, _FIELDS)


@task.command()
@connected
def resume(client: Client, task: TaskArgument) -> None:
    """Let a paused background task go on."""
    show_one(client, client.post(["background-task", task, "resume"]), Task, _FIELDS)


@task.command()
@connected
def cancel(client: Client, task: TaskArgument) -> None:
    """End a background task; what it has scheduled so far is delivered all the same."""
    show_one(client, client.post(["background-task", task, "cancel"]), Task, _FIELDS)


@task.command()
@connected
def wait(client: Client, task: TaskArgument) -> None:
    """Follow a background task to its end; exits with 1 if it failed."""
    follow(client, task, "messages")


def follow(client: Client, task_id: str, done: str, total: int | None = None) -> None:
    """Show the progress of a task until it ends; ``done`` names what its count means.

    If the daemon stops, wait for it, since a task survives that. Raises ``CommandError`` if the task failed.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[count]}", justify="right"),
        BarColumn(),
        *([TaskProgressColumn()] if total else []),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
            bar = progress.add_task("", total=total, count=f"0 {done}")
            while True:
                body = _looked_at(client, task_id, progress, bar)
                seen = decoded(body, Task)
                count = f"{seen.processed} of {total} {done}" if total else _counted(seen.processed, done)
                longest = None if total is None else max(total, seen.processed)
                progress.update(bar, completed=seen.processed, total=longest, count=count)
                if seen.status != RUNNING:
                    break
                time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        raise CommandError(
            f"the task goes on in the daemon; `webhook-engine task wait {task_id}` follows it again"
        ) from None
    if seen.status == "failed":
        if client.as_json:
            show_json(body)
        reason = seen.data.get("error") or "the daemon does not say why"
        raise CommandError(f"the task {task_id} failed after {_counted(seen.processed, done)}: {reason}")
    said(client, body, _counted(seen.processed, done))


def _counted(count: int, done: str) -> str:
    if count == 1:
        done = done.replace("messages are", "message is").replace("messages", "message")
    return f"{count} {done}"


def _looked_at(client: Client, task_id: str, progress: Progress, bar: TaskID) -> bytes:
    clock = Clock()
    away_until = clock.monotonic() + DAEMON_MAY_BE_AWAY_S
    while True:
        try:
            return client.get(["background-task", task_id])
        except UnreachableError:
            if clock.monotonic() > away_until:
                raise
            progress.update(bar, count="the daemon is away; waiting for it")
            time.sleep(LOOK_AGAIN_S)
