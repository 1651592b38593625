"""The cache of applications and endpoints in use.

Cached data stays correct as long as every change is announced with :meth:`Directory.forget_application` or
:meth:`Directory.forget_endpoints` after its commit. So an edit applies from the next message and the next attempt.

If several engines share the database, edits by others are announced a moment later. Then the cache is only used for
storing messages, where the store checks its revision; everything else is read from the database.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application
from webhook_engine.rules.keys import required_key
from webhook_engine.store.records import Routes, StoredEndpoint
from webhook_engine.store.seam import Store

__all__ = ["Directory"]

K = TypeVar("K")
V = TypeVar("V")

CAPACITY = 10_000
"""Applications cached at most, each with its endpoints."""


class Directory:
    """A bounded cache of applications, and of the endpoints of each."""

    def __init__(self, store: Store, capacity: int = CAPACITY) -> None:
        self._shared = store.wakeups is not None
        self._applications: _Cache[tuple[str, str], Application | None] = _Cache(capacity)
        self._routes: _Cache[str, Routes | None] = _Cache(capacity)
        self._store = store

    def cached_application(self, organization_id: str, key: str) -> Application | None:
        """An application by id or uid, if it is cached: the fast path of :meth:`application`."""
        return self._applications.get((organization_id, key))

    async def application(self, organization_id: str, key: str) -> Application | None:
        """An application by id or uid."""
        if self._shared:
            self.forget_application(organization_id, key)
        return await self._applications.load(
            (organization_id, key), lambda: self._store.applications.get(organization_id, key)
        )

    def cached_routes(self, application_id: str) -> Routes | None:
        """The routes of an application, if they are cached: the fast path of :meth:`routes`."""
        return self._routes.get(application_id)

    async def routes(self, application_id: str) -> Routes | None:
        """The routes of an application; ``None`` if it does not exist any more."""
        return await self._routes.load(application_id, lambda: self._store.endpoints.routes(application_id))

    async def fresh_routes(self, application_id: str) -> Routes | None:
        """The present routes, for callers whose revision the store does not check."""
        if self._shared:
            self.forget_endpoints(application_id)
        return await self.routes(application_id)

    async def endpoints(self, application_id: str) -> Sequence[StoredEndpoint]:
        """The endpoints of an application that are not deleted."""
        routes = await self.fresh_routes(application_id)
        return () if routes is None else routes.endpoints

    async def endpoint(self, application_id: str, key: str) -> StoredEndpoint | None:
        """An endpoint of an application, by id or uid."""
        for stored in await self.endpoints(application_id):
            if key in (stored.endpoint.id, stored.endpoint.uid):
                return stored
        return None

    async def find_application(self, organization_id: str, key: str) -> Application:
        """An application by id or uid; raises ``NotFoundError``."""
        found = self.cached_application(organization_id, key) if isinstance(key, str) else None
        if found is None:
            found = await self.application(organization_id, required_key("application", key))
        if found is None:
            raise NotFoundError("application", key)
        return found

    async def find_endpoint(self, application: Application, key: str) -> StoredEndpoint:
        """An endpoint of an application, by id or uid; raises ``NotFoundError``."""
        found = await self.endpoint(application.id, required_key("endpoint", key))
        if found is None:
            raise NotFoundError("endpoint", key)
        return found

    def forget_application(self, organization_id: str, *keys: str | None) -> None:
        """Forget an application that was added, changed or deleted: give its id, and its old and new uid."""
        for key in keys:
            if key is not None:
                self._applications.forget((organization_id, key))

    def forget_endpoints(self, application_id: str) -> None:
        """Forget the endpoints of an application, one of which was added, changed or deleted."""
        self._routes.forget(application_id)

    def clear(self) -> None:
        """Forget everything: another engine may have changed it."""
        self._applications.clear()
        self._routes.clear()


class _Cache(Generic[K, V]):
    """An LRU cache."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._loads: dict[K, list[_Load]] = {}

    def get(self, key: K) -> V | None:
        value = self._kept.get(key)
        if value is not None:
            self._kept.move_to_end(key)
        return value

    async def load(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        load = _Load()
        self._loads.setdefault(key, []).append(load)
        try:
            # A read during a change may return the state before it, which would stay cached for ever.
            while load.outdated:
                load.outdated = False
                value = await read()
        finally:
            loads = self._loads[key]
            loads.remove(load)
            if not loads:
                del self._loads[key]
        self._kept[key] = value
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        self._kept.pop(key, None)
        for load in self._loads.get(key, ()):
            load.outdated = True

    def clear(self) -> None:
        self._kept.clear()


class _Load:
    """A read in progress."""

    __slots__ = ("outdated",)

    def __init__(self) -> None:
        self.outdated = True
