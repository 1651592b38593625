"""The task that deletes the payloads of an application, page by page: ``application.purge_content``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from webhook_engine.ids import id_bounds
from webhook_engine.model import Task
from webhook_engine.store.records import MessageFilter, Span, TaskProgress
from webhook_engine.store.seam import Store

__all__ = ["Purge"]

MESSAGES_AT_ONCE = 500


class Purge:
    """Deletes payloads; ``on_expunged`` gets the ids of their messages."""

    def __init__(self, store: Store, on_expunged: Callable[[Collection[str]], None]) -> None:
        self._store = store
        self._on_expunged = on_expunged

    async def step(self, task: Task, progress: TaskProgress) -> TaskProgress:
        """Delete the payloads of one page; returns the new progress."""
        data: dict[str, Any] = dict(progress.data)
        span = Span(
            low=progress.cursor,
            high=id_bounds("msg_", data["until"])[0],
            descending=False,
            limit=MESSAGES_AT_ONCE,
        )
        found = await self._store.messages.list(task.application_id or "", span, MessageFilter(with_content=False))
        ids = [message.id for message in found]
        await self._store.messages.expunge(*ids)
        self._on_expunged(ids)
        processed = data["processed"] + len(found)
        return progress.moved_on(found[-1].id if len(found) == span.limit else None, processed=processed)
