"""The task runner runs background tasks page by page, so that they continue after a restart.

``endpoint.recover`` reschedules an endpoint's failed deliveries; ``endpoint.replay`` creates deliveries for messages
that match the endpoint and never had one; ``endpoint.bulk-replay`` reschedules settled deliveries that the caller's
filters select. They only schedule: the endpoint's lane paces the sending. The tasks of a whole application or
organization are in :mod:`purge` and :mod:`reports`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import msgspec

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.matching import matches
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.delivery.publishing import Publisher
from webhook_engine.delivery.schedule.dispatcher import Dispatcher
from webhook_engine.delivery.tasks.purge import Purge
from webhook_engine.delivery.tasks.reports import Reports
from webhook_engine.errors import StoreError
from webhook_engine.events import BackgroundTaskFinishedEvent
from webhook_engine.ids import id_bounds
from webhook_engine.log import get_logger
from webhook_engine.model import Task, TaskStatus
from webhook_engine.rules.tasks import TaskKind
from webhook_engine.store.directory import Directory
from webhook_engine.store.members import shard_of
from webhook_engine.store.records import WORK_DONE, DeliveryFilter, Span, StoredEndpoint, TaskProgress
from webhook_engine.store.seam import Store

__all__ = ["TaskRunner"]

log = get_logger("tasks")

PAGE = 500
RETRIES = "retries:"
"""Prefix of a recovery's cursor while it brings retries forward; permanently failed deliveries come after that."""
READ_TO_THE_END = frozenset({TaskKind.PURGE, TaskKind.REPLAY, TaskKind.USAGE})
"""Tasks that read messages by id, which is not the order in which several engines store them."""
CANCELLED = "cancelled"
"""The error of a cancelled task."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


class TaskRunner:
    """Runs the background tasks, each in an asyncio task of its own."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        dispatcher: Dispatcher,
        publisher: Publisher,
        clock: Clock,
        ownership: Ownership,
        filter_process: FilterProcess,
        *,
        added: Callable[[], None],
        expunged: Callable[[Collection[str]], None],
    ) -> None:
        """``added`` is called when a task was added for any engine; ``expunged`` gets what a purge has deleted."""
        self._store = store
        self._directory = directory
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._clock = clock
        self._ownership = ownership
        self._filter_process = filter_process
        self._added = added
        self._shards: dict[str, int] = {}
        """The shards of running tasks."""
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False
        reports = Reports(store)
        self._without_endpoint: dict[str, Callable[[Task, TaskProgress], Awaitable[TaskProgress]]] = {
            TaskKind.PURGE: Purge(store, on_expunged=expunged).step,
            TaskKind.USAGE: reports.usage,
            TaskKind.EVENT_TYPES: reports.event_types,
        }
        self._of_endpoint: dict[str, Callable[[StoredEndpoint, TaskProgress], Awaitable[TaskProgress]]] = {
            TaskKind.RECOVER: self._recover,
            TaskKind.REPLAY: self._replay,
            TaskKind.BULK_REPLAY: self._bulk_replay,
        }
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping: asyncio.Event  # made by `start`, because it belongs to the event loop that it is used in
        self._started = False

    @property
    def running(self) -> int:
        """The number of running tasks."""
        return len(self._running)

    async def start(self) -> None:
        """Continue the tasks that were running when the engine stopped."""
        self._stopping, self._started = asyncio.Event(), True
        await self._begin_ours()

    async def stop(self) -> None:
        """Stop the running tasks, each after its current page."""
        if self._started:
            self._stopping.set()
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def add(self, task: Task, cursor: str | None) -> None:
        """Run a new task; it is durable when this returns."""
        await self._store.tasks.add(task, cursor)
        log.info("task.started", task_id=task.id, task=task.task, endpoint_id=task.endpoint_id)
        shard = await self._shard(task)
        if self._ownership.holds(shard):
            self._begin(task, cursor, shard)
        else:
            self._added()

    async def pause(self, task: Task) -> bool:
        """Pause a task after its current page; ``False`` if it is not running."""
        paused = await self._store.tasks.turn(task.id, TaskStatus.RUNNING, TaskStatus.PAUSED, self._clock.now())
        if paused:
            log.info("task.paused", task_id=task.id, task=task.task)
        return paused

    async def resume(self, task: Task) -> bool:
        """Resume a paused task; ``False`` if it is not paused."""
        resumed = await self._store.tasks.turn(task.id, TaskStatus.PAUSED, TaskStatus.RUNNING, self._clock.now())
        if resumed:
            log.info("task.resumed", task_id=task.id, task=task.task)
            self.look()
        return resumed

    async def cancel(self, task: Task) -> None:
        """Cancel a running or paused task; what it has scheduled stays scheduled. Does nothing if it has ended."""
        progress = TaskProgress(task_id=task.id, status=TaskStatus.RUNNING, cursor=None, data=task.data)
        await self._end(task, _failed(progress, CANCELLED))

    def look(self) -> None:
        """Check soon for tasks that were added for this engine, or whose shards it gained."""
        if not self._started or self._stopping.is_set():
            return
        self._look_again = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def busy_shards(self) -> set[int]:
        """Shards with running tasks; a task whose shard is not this engine's any more stops after its page."""
        return set(self._shards.values())

    async def _look(self) -> None:
        while self._look_again and not self._stopping.is_set():
            self._look_again = False
            try:
                await self._begin_ours()
            except (StoreError, MemoryError) as error:
                log.error("tasks.unreadable", error=str(error) or repr(error), again_in_s=FIRST_PAUSE_S)
                self._look_again = True
                await self._pause(FIRST_PAUSE_S)

    async def _begin_ours(self) -> None:
        for task, cursor in await self._store.tasks.running():
            if task.id not in self._running:
                shard = await self._shard(task)
                if self._ownership.holds(shard) and task.id not in self._running:
                    self._begin(task, cursor, shard)

    async def _shard(self, task: Task) -> int:
        """The shard of a task: that of its endpoint, or one of its own."""
        if self._ownership.alone or task.endpoint_id is None:
            return shard_of(task.id)
        stored = await self._store.endpoints.load(task.endpoint_id)
        return shard_of(task.id) if stored is None else stored.shard

    def _begin(self, task: Task, cursor: str | None, shard: int) -> None:
        halted: set[str] = set()
        running = asyncio.create_task(self._run(task, cursor, shard, halted))
        self._running[task.id] = running
        self._shards[task.id] = shard
        running.add_done_callback(lambda _: self._ended(task.id, halted))

    def _ended(self, task_id: str, halted: set[str]) -> None:
        self._running.pop(task_id, None)
        self._shards.pop(task_id, None)
        if halted:
            # It may have been resumed before this run ended, and taken for running.
            self.look()

    async def _run(self, task: Task, cursor: str | None, shard: int, halted: set[str]) -> None:
        """Run a task until it ends, or is paused or cancelled: then it is added to ``halted``."""
        progress = TaskProgress(task_id=task.id, status=TaskStatus.RUNNING, cursor=cursor, data=task.data)
        pause = FIRST_PAUSE_S
        ended = False
        while not ended and not self._stopping.is_set() and self._ownership.holds(shard):
            try:
                if not self._ownership.may_begin():
                    await self._pause(FIRST_PAUSE_S)
                    continue
                if await self._halted(task):
                    halted.add(task.id)
                    ended = True
                elif progress.status is TaskStatus.RUNNING and progress.cursor != WORK_DONE:
                    progress = await self._step(task, progress)
                else:
                    await self._end(task, progress)
                    ended = True
                pause = FIRST_PAUSE_S
            except (StoreError, MemoryError) as error:
                log.error("task.waiting", task_id=task.id, error=str(error) or repr(error), again_in_s=pause)
                await self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except Exception as error:
                if progress.status is not TaskStatus.RUNNING:
                    raise
                log.exception("task.broken", task_id=task.id)
                progress = _failed(progress, repr(error))

    async def _halted(self, task: Task) -> bool:
        """Whether it was paused or cancelled, on any engine."""
        stored = await self._store.tasks.get(task.organization_id, task.id)
        return stored is None or stored.status is not TaskStatus.RUNNING

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _step(self, task: Task, progress: TaskProgress) -> TaskProgress:
        if task.task in READ_TO_THE_END and not await self._all_stored(progress):
            await self._pause(FIRST_PAUSE_S)
            return progress
        if (step := self._without_endpoint.get(task.task)) is not None:
            moved = await step(task, progress)
            await self._store.tasks.advance(moved, self._clock.now())
            return moved
        stored = await self._store.endpoints.load(task.endpoint_id or "")
        if stored is None or stored.deleted:
            return _failed(progress, "the endpoint was deleted")
        after = await self._of_endpoint[task.task](stored, progress)
        self._dispatcher.more_stored(stored.endpoint.id, self._clock.now(), may_join=True)
        return after

    async def _all_stored(self, progress: TaskProgress) -> bool:
        """Whether every engine has stored all messages that it accepted before the end of the task's span."""
        below = await self._store.leases.stored_below()
        until = progress.data.get("until")
        return below is None or not isinstance(until, int) or f"msg_{below}" >= id_bounds("msg_", until)[0]

    async def _recover(self, stored: StoredEndpoint, progress: TaskProgress) -> TaskProgress:
        # Retries first: those that fail permanently meanwhile do so too late to be taken up again.
        if progress.cursor is None or progress.cursor.startswith(RETRIES):
            return await self._bring_forward(stored, progress)
        endpoint_id, since = stored.endpoint.id, int(progress.cursor)
        now = self._clock.now()
        count, next_since = await self._store.deliveries.recover(
            endpoint_id, since, _number(progress, "until"), now, PAGE, progress, ordered=_keeps_order(stored)
        )
        return _moved(progress, count, None if next_since is None else str(next_since))

    async def _bring_forward(self, stored: StoredEndpoint, progress: TaskProgress) -> TaskProgress:
        endpoint_id, now = stored.endpoint.id, self._clock.now()
        since, until = _number(progress, "since"), _number(progress, "until")
        after = (progress.cursor or "").removeprefix(RETRIES)
        found, next_after = await self._store.deliveries.retrying(endpoint_id, since, until, after, now, PAGE)
        moved = _moved(progress, len(found), str(since) if next_after is None else f"{RETRIES}{next_after}")
        await self._store.deliveries.bring_forward(endpoint_id, found, now, moved)
        return moved

    async def _replay(self, stored: StoredEndpoint, progress: TaskProgress) -> TaskProgress:
        endpoint = stored.endpoint
        after = progress.cursor or id_bounds("msg_", _number(progress, "since"))[0]
        until = id_bounds("msg_", _number(progress, "until"))[0]
        found, next_after = await self._store.deliveries.missing(
            endpoint.application_id, endpoint.id, after, until, PAGE
        )
        wanted = []
        for one in found:
            if not matches(endpoint, one.event_type, one.channels):
                continue
            if endpoint.filter is None:
                wanted.append(one.message_id)
                continue
            # One payload at a time: a page of them may not fit into memory.
            message = await self._store.messages.get(endpoint.application_id, one.message_id)
            if message is not None and await self._filter_process.passes(endpoint, message.payload):
                wanted.append(one.message_id)
        moved = _moved(progress, len(wanted), next_after)
        await self._store.deliveries.replay(endpoint.id, wanted, self._clock.now(), moved, ordered=_keeps_order(stored))
        return moved

    async def _bulk_replay(self, stored: StoredEndpoint, progress: TaskProgress) -> TaskProgress:
        span = Span(
            low=progress.cursor or id_bounds("msg_", _number(progress, "since"))[0],
            high=id_bounds("msg_", _number(progress, "until"))[0],
            descending=False,
            limit=PAGE,
        )
        where = msgspec.convert(progress.data["filter"], DeliveryFilter)
        found = await self._store.deliveries.list_by_endpoint(stored.endpoint.id, span, where)
        wanted = [one.message.id for one in found]
        moved = _moved(progress, len(wanted), wanted[-1] if len(wanted) == PAGE else None)
        await self._store.deliveries.replay_again(
            stored.endpoint.id, wanted, self._clock.now(), moved, ordered=_keeps_order(stored)
        )
        return moved

    async def _end(self, task: Task, progress: TaskProgress) -> None:
        """Record the end of a task and its event in one commit, so that a crash cannot separate them."""
        status = TaskStatus.FINISHED if progress.status is TaskStatus.RUNNING else progress.status
        now = self._clock.now()
        application = await self._directory.application(task.organization_id, task.application_id or "")
        event = BackgroundTaskFinishedEvent(
            organization_id=task.organization_id,
            application_id=task.application_id or "",
            application_uid=application.uid if application else None,
            timestamp=to_datetime(now),
            task_id=task.id,
            task=task.task,
            status=status.value,
            progress=dict(progress.data),
        )
        ending = msgspec.structs.replace(progress, status=status, cursor=None)
        async with self._publisher.publishing([event]) as publication:
            if await self._store.tasks.end(ending, now, publication.webhooks):
                log.info("task.finished", task_id=task.id, task=task.task, status=status.value, **progress.data)
            else:
                publication.withdraw()


def _keeps_order(stored: StoredEndpoint) -> bool:
    return stored.endpoint.ordering is not None


def _failed(progress: TaskProgress, error: str) -> TaskProgress:
    return msgspec.structs.replace(progress, status=TaskStatus.FAILED, data={**progress.data, "error": error})


def _moved(progress: TaskProgress, count: int, cursor: str | None) -> TaskProgress:
    return progress.moved_on(cursor, processed=_number(progress, "processed") + count)


def _number(progress: TaskProgress, key: str) -> int:
    value = progress.data.get(key)
    if not isinstance(value, int):
        raise ValueError(f"task {progress.task_id} has no {key} in its data: {dict(progress.data)!r}")
    return value
