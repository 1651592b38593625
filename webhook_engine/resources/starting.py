"""Starting a background task."""

from __future__ import annotations

from collections.abc import Mapping

from webhook_engine.clock import to_datetime
from webhook_engine.model import Task, TaskStatus
from webhook_engine.resources.services import Services
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.shielded import shielded

__all__ = ["start_task"]


async def start_task(
    services: Services,
    organization_id: str,
    kind: TaskKind,
    data: Mapping[str, object],
    *,
    application_id: str | None = None,
    endpoint_id: str | None = None,
) -> Task:
    """Run a task in the background; it is durable when this returns."""
    now = services.clock.now()
    task = Task(
        id=services.ids.new("qtask_", now),
        organization_id=organization_id,
        application_id=application_id,
        endpoint_id=endpoint_id,
        task=kind.value,
        status=TaskStatus.RUNNING,
        data=data,
        created_at=to_datetime(now),
        updated_at=to_datetime(now),
    )
    await shielded(services.flow.start_task(task, None))
    return task
