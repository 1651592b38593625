"""Chores: background tasks of a whole application or organization, page by page, so that a restart goes on.

``application.purge_content`` deletes the payloads of an application, ``application.stats`` counts the deliveries of
each application in a span of time, ``event-type.aggregate`` lists the event types that endpoints name in their filters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from webhook_engine.clock import Clock
from webhook_engine.ids import id_bounds
from webhook_engine.model import Application, Task
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.store.records import MessageFilter, Span, TaskProgress
from webhook_engine.store.seam import Store

__all__ = ["Chores"]

MESSAGES_AT_ONCE = 500
COUNTED_AT_ONCE = 5_000
APPLICATIONS_AT_ONCE = 50


class Chores:
    """Makes the steps of these tasks; each step is recorded with its progress."""

    def __init__(self, store: Store, clock: Clock, on_expunged: Callable[[Collection[str]], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_expunged = on_expunged
        self._steps: dict[str, Callable[[Task, TaskProgress], Awaitable[TaskProgress]]] = {
            TaskKind.PURGE: self._purge,
            TaskKind.USAGE: self._usage,
            TaskKind.EVENT_TYPES: self._event_types,
        }

    def knows(self, kind: str) -> bool:
        """Whether a kind of task is one of these."""
        return kind in self._steps

    async def step(self, task: Task, progress: TaskProgress) -> TaskProgress:
        """Do a bounded part of the task, and record how far it is."""
        moved = await self._steps[task.task](task, progress)
        await self._store.tasks.advance(moved, self._clock.now())
        return moved

    async def _purge(self, task: Task, progress: TaskProgress) -> TaskProgress:
        span = Span(
            low=progress.cursor,
            high=id_bounds("msg_", _data(progress)["until"])[0],
            descending=False,
            limit=MESSAGES_AT_ONCE,
        )
        found = await self._store.messages.list(task.application_id or "", span, MessageFilter(with_content=False))
        ids = [message.id for message in found]
        await self._store.messages.expunge(*ids)
        self._on_expunged(ids)
        processed = _data(progress)["processed"] + len(found)
        return progress.moved_on(found[-1].id if len(found) == span.limit else None, processed=processed)

    async def _usage(self, task: Task, progress: TaskProgress) -> TaskProgress:
        data = _data(progress)
        low, high = (id_bounds("msg_", data[name])[0] for name in ("since", "until"))
        stats = [dict(entry) for entry in data["appStats"]]
        # The cursor is the last application that is done, or the one under way with the last message looked at.
        cursor, _, message_id = (progress.cursor or "").partition(" ")
        if message_id:
            count, after = await self._store.deliveries.count_of_messages(
                stats[-1]["appId"], message_id, high, COUNTED_AT_ONCE
            )
            stats[-1]["messageDestinations"] += count
            return progress.moved_on(f"{cursor} {after}" if after else cursor, appStats=stats)
        applications, following = await self._applications(task, data.get("appIds"), cursor)
        for application in applications:
            count, after = await self._store.deliveries.count_of_messages(application.id, low, high, COUNTED_AT_ONCE)
            stats.append({"appId": application.id, "appUid": application.uid, "messageDestinations": count})
            if after is not None:
                return progress.moved_on(f"{application.id} {after}", appStats=stats)
        return progress.moved_on(following, appStats=stats)

    async def _event_types(self, task: Task, progress: TaskProgress) -> TaskProgress:
        listed = [*_data(progress)["event_types"]]
        applications, following = await self._applications(task, None, progress.cursor or "")
        for application in applications:
            endpoints = [one.endpoint for one in await self._store.endpoints.of_application(application.id)]
            listed.append(
                {
                    "appId": application.id,
                    "explicitlySubscribedEventTypes": sorted(
                        {name for endpoint in endpoints for name in endpoint.event_types or ()}
                    ),
                    "hasCatchAllEndpoint": any(endpoint.event_types is None for endpoint in endpoints),
                }
            )
        return progress.moved_on(following, event_types=listed)

    async def _applications(
        self, task: Task, only: Sequence[str] | None, after: str
    ) -> tuple[Sequence[Application], str | None]:
        """The next applications in the order of ids, and the id to continue from (``None`` at the end)."""
        if only is None:
            span = Span(low=after or None, descending=False, limit=APPLICATIONS_AT_ONCE)
            found = await self._store.applications.list(task.organization_id, span)
            return found, found[-1].id if len(found) == span.limit else None
        wanted = [one for one in sorted(only) if one > after]
        page = wanted[:APPLICATIONS_AT_ONCE]
        looked_up = [await self._store.applications.get(task.organization_id, one) for one in page]
        return [one for one in looked_up if one is not None], page[-1] if len(wanted) > len(page) else None


def _data(progress: TaskProgress) -> dict[str, Any]:
    return dict(progress.data)
