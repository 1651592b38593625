"""Background tasks: the progress of recoveries and replays, and counting usage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from operator import attrgetter

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import Page, Task, TaskStatus
from webhook_engine.resources import pagination
from webhook_engine.resources.pagination import Order
from webhook_engine.resources.services import Services
from webhook_engine.resources.starting import start_task
from webhook_engine.rules import names, values
from webhook_engine.rules.keys import keys, required_key
from webhook_engine.rules.names import is_name
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.shielded import shielded
from webhook_engine.store.records import Span

__all__ = ["Tasks"]

MAX_COUNTED = 1_000
"""Applications that one count of usage may name; without names it counts all."""
FIRST_NAP_S = 0.01
LONGEST_NAP_S = 0.5

_ID = attrgetter("id")
_NOT_ENDED = (TaskStatus.RUNNING, TaskStatus.PAUSED)


class Tasks:
    """The background tasks of an organization; ``endpoints.recover`` and ``endpoints.replay_missing`` start them."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def get(self, task_id: str, *, application: str | None = None) -> Task:
        """A task and its progress; raises ``NotFoundError``, also if it is not of the given application."""
        required_key("task", task_id)
        application_id = await self._application_id(application)
        task = await self._services.store.tasks.get(self._organization_id, task_id)
        if task is None or (application_id is not None and task.application_id != application_id):
            raise NotFoundError("task", task_id)
        return task

    async def list(
        self,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        order: Order = "descending",
        status: TaskStatus | str | None = None,
        task: str | None = None,
        application: str | None = None,
    ) -> Page[Task]:
        """A page of tasks in the order of their creation, newest first by default; at most 250.

        ``task`` is a kind, such as ``endpoint.recover``. Raises ``ValidationError``, and ``NotFoundError`` for an
        unknown application.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order=order, prefix="qtask_")
        return request.cut(await self._read(request.span, status, task, application), _ID)

    async def iterate(
        self, *, status: TaskStatus | str | None = None, task: str | None = None, application: str | None = None
    ) -> AsyncIterator[Task]:
        """Every task, oldest first."""

        async def read(span: Span) -> Sequence[Task]:
            return await self._read(span, status, task, application)

        async for found in pagination.walk(read, _ID):
            yield found

    async def pause(self, task_id: str, *, application: str | None = None) -> Task:
        """Pause a running task until it is resumed; any other is left unchanged.

        Raises ``NotFoundError``, also if it belongs to another application than the given one.
        """
        task = await self.get(task_id, application=application)
        await shielded(self._services.flow.pause_task(task))
        return await self.get(task_id)

    async def resume(self, task_id: str, *, application: str | None = None) -> Task:
        """Resume a paused task; any other is left unchanged. Raises ``NotFoundError``."""
        task = await self.get(task_id, application=application)
        await shielded(self._services.flow.resume_task(task))
        return await self.get(task_id)

    async def cancel(self, task_id: str, *, application: str | None = None) -> Task:
        """End an unfinished task: it fails with the error "cancelled". Raises ``NotFoundError``.

        What it has scheduled so far is still delivered.
        """
        task = await self.get(task_id, application=application)
        if task.status in _NOT_ENDED:
            await shielded(self._services.flow.cancel_task(task))
        return await self.get(task_id)

    async def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """Wait until a task has finished or failed, and return it; ``timeout`` is in seconds.

        Raises ``TimeoutError``, and ``NotFoundError``.
        """
        nap = FIRST_NAP_S
        async with asyncio.timeout(timeout):
            while (task := await self.get(task_id)).status in _NOT_ENDED:
                await asyncio.sleep(nap)
                nap = min(nap * 2, LONGEST_NAP_S)
        return task

    async def count_usage(
        self, since: datetime, until: datetime, applications: Collection[str] | None = None
    ) -> tuple[Task, Sequence[str]]:
        """Count how many deliveries the messages of [``since``, ``until``) have, for each application.

        Returns the task, whose ``data`` has the result when it has finished, and those of ``applications`` that do not
        exist. Raises ``ValidationError``, also if none of them exists.
        """
        begin, end = values.instant("since", since), values.instant("until", until)
        if begin >= end:
            raise ValidationError("since", "must be before 'until'")
        found: set[str] | None = None
        unknown = []
        if applications is not None:
            found = set()
            for key in keys("app_ids", applications, MAX_COUNTED):
                application = None
                if is_name(key):
                    application = await self._services.directory.application(self._organization_id, key)
                if application is None:
                    unknown.append(key)
                else:
                    found.add(application.id)
            if not found:
                raise ValidationError("app_ids", "there is no such application")
        data = {"since": begin, "until": end, "appIds": found and sorted(found), "appStats": []}
        return await start_task(self._services, self._organization_id, TaskKind.USAGE, data), unknown

    async def list_used_event_types(self) -> Task:
        """List the event types in the filters of the endpoints of each application, as a background task."""
        return await start_task(self._services, self._organization_id, TaskKind.EVENT_TYPES, {"event_types": []})

    async def _read(self, span: Span, status: object, kind: object, application: str | None) -> Sequence[Task]:
        return await self._services.store.tasks.list(
            self._organization_id,
            span,
            status=None if status is None else values.member("status", status, TaskStatus),
            kind=names.optional_name("task", kind),
            application_id=await self._application_id(application),
        )

    async def _application_id(self, key: str | None) -> str | None:
        return None if key is None else (await self._services.directory.find_application(self._organization_id, key)).id
