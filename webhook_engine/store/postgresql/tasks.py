"""Background tasks in PostgreSQL."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.model import Task, TaskStatus
from webhook_engine.store import rows
from webhook_engine.store.postgresql.connection import Session
from webhook_engine.store.postgresql.database import Database
from webhook_engine.store.postgresql.filters import Parameters
from webhook_engine.store.postgresql.messages import NewMessages
from webhook_engine.store.records import AddressedMessage, Span, TaskProgress
from webhook_engine.store.spans import bounds, direction

__all__ = ["PostgresqlTasks", "record_progress"]

_COLUMNS = rows.columns(rows.TASK)
_WIDTH = len(rows.TASK)

_ADD = f"""
INSERT INTO webhook_task ({_COLUMNS}, cursor, shard)
VALUES (
    {", ".join(f"${number}" for number in range(1, _WIDTH + 2))},
    coalesce((SELECT shard FROM webhook_endpoint WHERE id = ${rows.TASK.index("endpoint_id") + 1}), 0)
)
"""

_GET = f"""
SELECT {_COLUMNS} FROM webhook_task WHERE id = $2 AND organization_id = $1
"""

_RUNNING = f"""
SELECT {_COLUMNS}, cursor FROM webhook_task WHERE status = 'running' ORDER BY id
"""

_ADVANCE = """
UPDATE webhook_task SET
    -- A step that was under way when the task was paused is kept, and the task stays paused.
    status = CASE WHEN status = 'paused' AND $2::text = 'running' THEN status ELSE $2::text END,
    cursor = $3, data = $4, updated_at = $5
WHERE id = $1 AND status IN ('running', 'paused')
"""

_TURN = """
UPDATE webhook_task SET status = $3, updated_at = $4 WHERE id = $1 AND status = $2
"""


class PostgresqlTasks:
    """See :class:`~webhook_engine.store.seam.TaskStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, task: Task, cursor: str | None) -> None:
        """A task to be run from ``cursor``."""
        values = (*rows.task_row(task), cursor)
        await self._database.write(lambda session: session.change(_ADD, *values))

    async def get(self, organization_id: str, task_id: str) -> Task | None:
        """By id."""
        found = await self._database.read(_GET, organization_id, task_id)
        return rows.task(found[0]) if found else None

    async def list(
        self,
        organization_id: str,
        span: Span,
        *,
        status: TaskStatus | None,
        kind: str | None,
        application_id: str | None,
    ) -> Sequence[Task]:
        """In the order of ids."""
        parameters = Parameters(organization_id, *bounds(span), span.limit)
        wanted = {"status": status and status.value, "task": kind, "application_id": application_id}
        conditions = [f"AND {name} = {parameters.add(value)}" for name, value in wanted.items() if value is not None]
        sql = f"""
        SELECT {_COLUMNS} FROM webhook_task
        WHERE organization_id = $1 AND id > $2 AND id < $3 {" ".join(conditions)}
        ORDER BY id {direction(span)} LIMIT $4
        """
        return [rows.task(row) for row in await self._database.read(sql, *parameters.values)]

    async def running(self) -> Sequence[tuple[Task, str | None]]:
        """All tasks that are to be run, of every organization, oldest first, with their cursors."""
        return [(rows.task(row[:-1]), row[-1]) for row in await self._database.read(_RUNNING)]

    async def advance(self, progress: TaskProgress, now: int) -> None:
        """Record the progress of a task."""
        await self._database.write(lambda session: record_progress(session, progress, now))

    async def turn(self, task_id: str, before: TaskStatus, after: TaskStatus, now: int) -> bool:
        """Give a task another status; ``False``, and nothing is changed, if it does not stand as ``before`` says."""
        values = (task_id, before.value, after.value, now)
        return await self._database.write(lambda session: session.change(_TURN, *values)) == 1

    async def end(self, progress: TaskProgress, now: int, messages: Sequence[AddressedMessage]) -> bool:
        """Record the end of a task, with the operational webhooks about it."""
        webhooks = NewMessages(messages)

        async def change(session: Session) -> bool:
            ended = await record_progress(session, progress, now)
            if ended:
                await webhooks.add(session)
            return ended

        return await self._database.write(change)


async def record_progress(session: Session, progress: TaskProgress, now: int) -> bool:
    """Record where a task stands, in the transaction of the step that it made; whether it had not ended before."""
    data = rows.json_of(progress.data)
    changed = await session.change(_ADVANCE, progress.task_id, progress.status.value, progress.cursor, data, now)
    return changed == 1
