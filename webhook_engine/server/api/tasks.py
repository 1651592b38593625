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
    """A background task as it stands."""

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
        # Clients of the contract know three states, and refuse any other.
        status, data["paused"] = TaskStatus.RUNNING, True
    return BackgroundTaskOut(
        id=task.id, status=status.value, task=task.task, updated_at=task.updated_at, data=msgspec.to_builtins(data)
    )


async def list_tasks(call: Call[TaskListQuery, NoBody]) -> Out:
    """Newest first, unless asked otherwise; for an application token those of its application."""
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
    """By id."""
    return shown(
        await call.organization.tasks.get(call.parameters["task_id"], application=call.principal.application_id)
    )


async def pause_task(call: Call[NoQuery, NoBody]) -> Out:
    """It stays where it is until it is resumed, also over a restart; `data.paused` says so."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.pause(task.id))


async def resume_task(call: Call[NoQuery, NoBody]) -> Out:
    """It goes on from where it was paused."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.resume(task.id))


async def cancel_task(call: Call[NoQuery, NoBody]) -> Out:
    """It ends as failed, with the error "cancelled". What it has scheduled so far is delivered all the same."""
    task = await _changeable(call)
    return shown(await call.organization.tasks.cancel(task.id))


async def _changeable(call: Call[NoQuery, NoBody]) -> Task:
    """The task in the path; what is about a whole application is the organization's alone to hold up."""
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
