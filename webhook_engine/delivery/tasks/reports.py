"""The tasks that count and list over all applications, page by page.

``application.stats`` counts the deliveries of each application in a span of time, ``event-type.aggregate`` lists the
event types that endpoints name in their filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webhook_engine.ids import id_bounds
from webhook_engine.model import Application, Task
from webhook_engine.store.records import Span, TaskProgress
from webhook_engine.store.seam import Store

__all__ = ["Reports"]

COUNTED_AT_ONCE = 5_000
APPLICATIONS_AT_ONCE = 50


class Reports:
    """Makes a page of a report; returns the new progress, with the result so far."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def usage(self, task: Task, progress: TaskProgress) -> TaskProgress:
        """Count the deliveries of the next applications."""
        data = _data(progress)
        low, high = (id_bounds("msg_", data[name])[0] for name in ("since", "until"))
        stats = [dict(entry) for entry in data["appStats"]]
        # The cursor is the last application done, or the current one with the last message counted.
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

    async def event_types(self, task: Task, progress: TaskProgress) -> TaskProgress:
        """List the event types that the endpoints of the next applications name."""
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
