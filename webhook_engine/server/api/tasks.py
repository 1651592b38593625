"""Background tasks on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.model import Task, TaskStatus
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.endpoint_actions import TaskStartedOut
from webhook_engine.server.api.lists import ListResponse, OrderedQuery, listed
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, Handler, NoBody, Out, Route, forbidden

__all__ = ["ROUTES"]

_INSTANTS = ("since", "until")


class BackgroundTaskOut(TaskStartedOut, frozen=True, kw_only=True):
    """A background task and its state."""

    data: Mapping[str, Any]


class TaskListQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which tasks to list."""

    ITERATOR_PREFIX = "qtask_"

    status: TaskStatus | None = None
    task: str | None = None


def shown(task: Task) -> BackgroundTaskOut:
    """A task as clients see it."""
    data = {
        key: to_datetime(value) if key in _INSTANTS and isinstance(value, int) else value
        for key, value in task.data.items()
    }
    if task.endpoint_id is not None:
        data["endpointId"] = task.endpoint_id
    status = task.status
    if status is TaskStatus.PAUSED:
        # The wire contract has three states, and its clients reject any other.
        status, data["paused"] = TaskStatus.RUNNING, True
    return BackgroundTaskOut(
        id=task.id, status=status.value, task=task.task, updated_at=task.updated_at, data=msgspec.to_builtins(data)
    )


async def list_tasks(call: Call[TaskListQuery, NoBody]) -> Out:
    """List tasks, newest first by default; an application token sees those of its application."""
    query = call.query
    page = await call.organization.tasks.list(
        limit=query.limit,
        iterator=query.iterator,
        order=query.order or "descending",
        status=query.status,
        task=query.task,
        application=call.principal.application_id,
    )
    return listed(page, shown)


async def get_task(call: Call[NoQuery, NoBody]) -> Out:
    """Get a task by id."""
    return shown(
        await call.organization.tasks.get(call.parameters["task_id"], application=call.principal.application_id)
    )


async def pause_task(call: Call[NoQuery, NoBody]) -> Out:
    """Pause a task until it is resumed, even across a restart; `data.paused` says so."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.pause(task.id))


async def resume_task(call: Call[NoQuery, NoBody]) -> Out:
    """Resume a task from where it was paused."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.resume(task.id))


async def cancel_task(call: Call[NoQuery, NoBody]) -> Out:
    """Cancel a task; it ends as failed, with the error "cancelled". What it has scheduled is still delivered."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.cancel(task.id))


async def _changeable(call: Call[NoQuery, NoBody]) -> Task:
    """The task in the path; only an organization's token may change a task for a whole application."""
    own = call.principal.application_id
    task = await call.organization.tasks.get(call.parameters["task_id"], application=own)
    if own is not None and task.endpoint_id is None:
        raise forbidden()
    return task


def _turning(verb: str, handler: Handler[NoQuery, NoBody]) -> Route[NoQuery, NoBody]:
    return Route(
        "POST",
        f"/background-task/{{task_id}}/{verb}",
        handler,
        auth=Auth.TOKEN,
        needs=Capability.CREATE_ATTEMPTS,
        responses={200: BackgroundTaskOut},
        summary=f"{verb.capitalize()} a background task",
        operation=f"background-task.{verb}",
    )


ROUTES = (
    _turning("pause", pause_task),
    _turning("resume", resume_task),
    _turning("cancel", cancel_task),
    Route(
        "GET",
        "/background-task",
        list_tasks,
        auth=Auth.TOKEN,
        needs=Capability.VIEW_BASE,
        query=TaskListQuery,
        responses={200: ListResponse[BackgroundTaskOut]},
        summary="List the background tasks",
        operation="background-task.list",
    ),
    Route(
        "GET",
        "/background-task/{task_id}",
        get_task,
        auth=Auth.TOKEN,
        needs=Capability.VIEW_BASE,
        responses={200: BackgroundTaskOut},
        summary="Get a background task",
        operation="background-task.get",
    ),
)
