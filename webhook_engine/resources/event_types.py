"""Event types: the kinds of message that an organization sends, for endpoints to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.errors import ConflictError, NotFoundError
from webhook_engine.model import EventType, Page
from webhook_engine.resources import json_schema, pagination
from webhook_engine.resources.operational_events import is_as_registered
from webhook_engine.resources.services import Services
from webhook_engine.resources.typed_registration import registrations
from webhook_engine.rules import names, values
from webhook_engine.rules.keys import required_key
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.store.records import EventTypeChanges, Span
from webhook_engine.typed_events import declarations

__all__ = ["EventTypes"]

_NAME = attrgetter("name")


class EventTypes:
    """The event types of an organization, each addressed by its name.

    A message may have an event type that is not here; only the filters of endpoints must name registered ones.
    """

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id

    async def create(
        self,
        *,
        name: str,
        description: str = "",
        archived: bool = False,
        deprecated: bool = False,
        schemas: Mapping[str, object] | None = None,
        feature_flags: Collection[str] = (),
        group_name: str | None = None,
    ) -> EventType:
        """Register an event type, or replace an archived one.

        ``schemas``: JSON Schemas by version, ``{"1": {...}}``; the ``examples`` of version 1 are what ``send_example``
        sends. ``feature_flags``: show the event type only to those who have one of them; empty: to everybody.
        Raises ``ConflictError`` if there is one of that name, and ``ValidationError``.
        """
        now = to_datetime(self._services.clock.now())
        event_type = EventType(
            name=names.name("name", name),
            organization_id=self._organization_id,
            description=values.event_type_description("description", description),
            archived=values.boolean("archived", archived),
            deprecated=values.boolean("deprecated", deprecated),
            schemas=await _schemas(schemas),
            feature_flags=names.feature_flags("feature_flags", feature_flags),
            group_name=names.optional_name("group_name", group_name),
            created_at=now,
            updated_at=now,
        )
        try:
            await self._services.store.event_types.add(event_type)
        except ConflictError:
            if not await self._put_in_place_of_builtin(event_type):
                raise
        return event_type

    async def get(self, name: str, *, feature_flags: Collection[str] | None = None) -> EventType:
        """An event type, archived or not; raises ``NotFoundError``.

        With ``feature_flags``, as shown to those who have them: an event type that has only other flags is not found.
        """
        required_key("event type", name)
        flags = None if feature_flags is None else names.feature_flags("feature_flags", feature_flags)
        found = await self._services.store.event_types.get(self._organization_id, name)
        if found is None or (flags is not None and found.feature_flags and set(flags).isdisjoint(found.feature_flags)):
            raise NotFoundError("event type", name)
        return found

    async def list(
        self,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        include_archived: bool = False,
        with_content: bool = True,
        feature_flags: Collection[str] | None = None,
    ) -> Page[EventType]:
        """A page of event types in the order of their names; at most 250.

        Without ``with_content`` the schemas are ``None``. ``feature_flags`` as for :meth:`get`.
        Raises ``ValidationError``.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order="ascending")
        content = values.boolean("with_content", with_content)
        rows = await self._read(request.span, include_archived, feature_flags)
        if not content:
            rows = [msgspec.structs.replace(row, schemas=None) for row in rows]
        return request.cut(rows, _NAME)

    async def iterate(
        self, *, include_archived: bool = False, feature_flags: Collection[str] | None = None
    ) -> AsyncIterator[EventType]:
        """Every event type, in the order of their names."""

        async def read(span: Span) -> Sequence[EventType]:
            return await self._read(span, include_archived, feature_flags)

        async for event_type in pagination.walk(read, _NAME):
            yield event_type

    async def update(
        self,
        name: str,
        *,
        description: str | UnsetType = UNSET,
        archived: bool | UnsetType = UNSET,
        deprecated: bool | UnsetType = UNSET,
        schemas: Mapping[str, object] | UnsetType | None = UNSET,
        feature_flags: Collection[str] | UnsetType = UNSET,
        group_name: str | UnsetType | None = UNSET,
    ) -> EventType:
        """Change what is given, and leave the rest; ``None`` unsets. ``schemas`` are replaced as a whole.

        Raises ``NotFoundError`` and ``ValidationError``.
        """
        required_key("event type", name)
        changes = EventTypeChanges(
            description=UNSET if description is UNSET else values.event_type_description("description", description),
            archived=UNSET if archived is UNSET else values.boolean("archived", archived),
            deprecated=UNSET if deprecated is UNSET else values.boolean("deprecated", deprecated),
            schemas=UNSET if schemas is UNSET else await _schemas(schemas),
            feature_flags=UNSET if feature_flags is UNSET else names.feature_flags("feature_flags", feature_flags),
            group_name=UNSET if group_name is UNSET else names.optional_name("group_name", group_name),
        )
        now = self._services.clock.now()
        changed = await self._services.store.event_types.update(self._organization_id, name, changes, now)
        if changed is None:
            raise NotFoundError("event type", name)
        return changed

    async def sync(self, events: Iterable[type], *, allow_breaking: bool = False) -> Sequence[EventType]:
        """Register what these classes declare (see :func:`webhook_engine.event`): name, description, schema, examples.

        Event types already registered are updated, and keep their other versions. Returns the event types in the order
        of the classes. Raises ``BreakingChangeError``, before anything is changed, if the schema of a version changes
        so that consumers break, and ``ValidationError``.
        """
        declared = declarations(events)
        allowed = values.boolean("allow_breaking", allow_breaking)
        known = {one.name: found for one in declared if (found := await self._registered(one.name)) is not None}
        for name, registered, fields in registrations(declared, known, allow_breaking=allowed):
            known[name] = await (
                self.create(name=name, **fields) if registered is None else self.update(name, **fields)
            )
        return [known[one.name] for one in declared]

    async def _registered(self, name: str) -> EventType | None:
        return await self._services.store.event_types.get(self._organization_id, name)

    async def delete(self, name: str, *, expunge: bool = False) -> None:
        """Archive an event type, so that it is no longer offered; with ``expunge``, delete it.

        Endpoints that have it in their filter keep it. Raises ``NotFoundError``.
        """
        if not values.boolean("expunge", expunge):
            await self.update(name, archived=True)
            return
        required_key("event type", name)
        if not await self._services.store.event_types.expunge(self._organization_id, name):
            raise NotFoundError("event type", name)

    async def _put_in_place_of_builtin(self, event_type: EventType) -> bool:
        """Replace an operational event type that the engine registered and nobody changed; returns whether it did."""
        found = await self._services.store.event_types.get(self._organization_id, event_type.name)
        if found is None or not is_as_registered(found):
            return False
        changes = EventTypeChanges(
            description=event_type.description,
            archived=event_type.archived,
            deprecated=event_type.deprecated,
            schemas=event_type.schemas,
            feature_flags=event_type.feature_flags,
            group_name=event_type.group_name,
        )
        now = from_datetime(event_type.updated_at)
        return (
            await self._services.store.event_types.update(self._organization_id, found.name, changes, now) is not None
        )

    async def _read(self, span: Span, include_archived: bool, feature_flags: object) -> Sequence[EventType]:
        return await self._services.store.event_types.list(
            self._organization_id,
            span,
            include_archived=values.boolean("include_archived", include_archived),
            feature_flags=None if feature_flags is None else names.feature_flags("feature_flags", feature_flags),
        )


async def _schemas(value: object) -> dict[str, object] | None:
    """Check schemas in a thread, since they may be large."""
    if isinstance(value, Mapping) and value:
        return await asyncio.to_thread(json_schema.checked, "schemas", value)
    return json_schema.checked("schemas", value)
