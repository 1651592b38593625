"""Polling messages instead of having them sent; the engine may store each client's position."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from webhook_engine.clock import microseconds
from webhook_engine.errors import PositionLimitError, ValidationError
from webhook_engine.ids import id_bounds, is_id
from webhook_engine.model import Application, Message
from webhook_engine.resources import pagination
from webhook_engine.resources.pagination import MAX_BYTES
from webhook_engine.resources.services import Services
from webhook_engine.rules import names, values
from webhook_engine.rules.filters import message_choice
from webhook_engine.rules.pages import page_size
from webhook_engine.store.positions import Position
from webhook_engine.store.records import MessageFilter, Span, fitting

__all__ = ["Polling", "held_back_from", "message_filter", "only"]

POLLED_BACK = microseconds(timedelta(days=90))
SETTLED_AFTER = microseconds(timedelta(seconds=1))
"""How long a message is held back, in microseconds, for outbox rows with earlier ids that are not accepted yet."""
MAX_POSITIONS = 1000
"""Positions stored for an application."""
IDLE_AFTER = microseconds(timedelta(days=90))
"""A position unused for so long (in microseconds) may be replaced if there are too many."""
USE_NOTED_EVERY = microseconds(timedelta(days=1))

Polled = tuple[Sequence[Message], str, bool]


class Polling:
    """The messages of an application in the order of their creation."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def poll(
        self,
        application: str,
        limit: int,
        iterator: str | None,
        after: datetime | None,
        where: MessageFilter,
    ) -> Polled:
        """A page after an iterator or an instant, its iterator, and whether it is the last."""
        if iterator is not None:
            start = _iterator(iterator)
        else:
            start = self._beginning() if after is None else _just_before(after)
        most = _limit(limit)
        return await self._pull(await self._application(application), start, most, where)

    async def consumer_poll(
        self,
        application: str,
        sink: str,
        consumer: str,
        limit: int,
        iterator: str | None,
        where: MessageFilter,
    ) -> Polled:
        """The page after the position of a consumer."""
        most = _limit(limit)
        names.name("consumer", consumer)
        given = None if iterator is None else _iterator(iterator)
        found = await self._application(application)
        sink = await self._sink(found, sink)
        kept = await self._services.store.positions.get(found.id, sink, consumer)
        if given is not None:
            now = self._services.clock.now()
            if kept is None or kept.after != given or kept.used_at + USE_NOTED_EVERY <= now:
                await self._keep(found, sink, consumer, given)
            return await self._pull(found, given, most, where)
        return await self._pull(found, self._beginning() if kept is None else kept.after, most, where)

    async def consumer_seek(self, application: str, sink: str, consumer: str, *, after: datetime) -> str:
        """Set the position of a consumer; returns the iterator."""
        names.name("consumer", consumer)
        position = _just_before(after)
        found = await self._application(application)
        await self._keep(found, await self._sink(found, sink), consumer, position)
        return position

    async def _pull(self, application: Application, start: str, most: int, where: MessageFilter) -> Polled:
        services = self._services
        high = held_back_from(services.clock.now())
        # After the clock was set back, ids are ahead of it, so only elapsed time tells which have settled.
        if (settled := services.flow.settled_id()) is not None:
            high = max(high, f"msg_{settled}~")
        high = min(high, services.flow.oldest_unstored() or high)
        if (elsewhere := await services.flow.stored_elsewhere()) is not None:
            high = min(high, f"msg_{elsewhere}~")
        messages = services.store.messages
        span = Span(low=start, high=high, descending=False, limit=most, max_bytes=MAX_BYTES)
        edge = partial(messages.edge, application.id) if where.passes_over else None
        span, ends = await pagination.examined(span, edge)
        found = await messages.list(application.id, span, where)
        page = found[: fitting(found, span.max_bytes)]
        is_all = len(page) < most and len(page) == len(found)
        if ends is not None and is_all:
            return page, ends.last, False
        return page, page[-1].id if page else start, is_all

    async def _keep(self, application: Application, sink: str, consumer: str, after: str) -> None:
        now = self._services.clock.now()
        position = Position(application_id=application.id, sink=sink, consumer=consumer, after=after, used_at=now)
        if not await self._services.store.positions.keep(position, MAX_POSITIONS, now - IDLE_AFTER):
            raise PositionLimitError(
                f"application {application.id} has {MAX_POSITIONS} consumers with a position, the most there may be, "
                f"all of them used in the last {IDLE_AFTER // microseconds(timedelta(days=1))} days; "
                "use one of their names again"
            )

    async def _sink(self, application: Application, sink: str) -> str:
        """The id if the sink is an endpoint, so that its uid and its id share positions."""
        names.name("sink", sink)
        stored = await self._services.directory.endpoint(application.id, sink)
        return sink if stored is None else stored.endpoint.id

    def _beginning(self) -> str:
        return id_bounds("msg_", self._services.clock.now() - POLLED_BACK)[0]

    async def _application(self, key: str) -> Application:
        return await self._services.directory.find_application(self._organization_id, key)


def held_back_from(now: int) -> str:
    """The lowest id of a message that is held back at this instant."""
    return id_bounds("msg_", now - SETTLED_AFTER)[0]


def message_filter(event_types: object, channel: object, tag: object, with_content: object) -> MessageFilter:
    """Check the filters of a list."""
    return MessageFilter(
        **message_choice(event_types, channel, tag),
        with_content=values.boolean("with_content", with_content),
    )


def only(event_type: str | None, channel: str | None) -> MessageFilter:
    """Check the filters of a poll."""
    return message_filter(None if event_type is None else [event_type], channel, None, True)


def _limit(limit: object) -> int:
    return page_size("limit", limit, least=1)


def _iterator(iterator: object) -> str:
    if not isinstance(iterator, str) or not is_id("msg_", iterator):
        raise ValidationError("iterator", "must be the iterator of an earlier page")
    return iterator


def _just_before(after: object) -> str:
    return id_bounds("msg_", values.instant("after", after))[0]
