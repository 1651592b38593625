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
from webhook_engine.server.api.route import Auth, Call, NoBody, Out, Route

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
    return BackgroundTaskOut(
        id=task.id, status=task.status.value, task=task.task, updated_at=task.updated_at, data=msgspec.to_builtins(data)
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


ROUTES = (
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
