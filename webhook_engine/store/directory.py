"""Applications and endpoints, kept in memory while they are in use.

The engine is the only writer of its tables, so what is kept here is true as long as every change is announced with
:meth:`Directory.forget_application` or :meth:`Directory.forget_endpoints` after it was committed. Thus an edit applies
from the next message and the next attempt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application
from webhook_engine.rules.keys import required_key
from webhook_engine.store.records import StoredEndpoint
from webhook_engine.store.seam import Store

__all__ = ["Directory"]

K = TypeVar("K")
V = TypeVar("V")

CAPACITY = 10_000
"""Applications kept at most; each with its endpoints."""


class Directory:
    """A bounded cache of applications, and of the endpoints of each."""

    def __init__(self, store: Store, capacity: int = CAPACITY) -> None:
        self._applications: _Cache[tuple[str, str], Application | None] = _Cache(capacity)
        self._endpoints: _Cache[str, Sequence[StoredEndpoint]] = _Cache(capacity)
        self._store = store

    def cached_application(self, organization_id: str, key: str) -> Application | None:
        """An application by id or uid, if it is in memory: the fast way of :meth:`application`."""
        return self._applications.get((organization_id, key))

    async def application(self, organization_id: str, key: str) -> Application | None:
        """An application by id or uid."""
        return await self._applications.load(
            (organization_id, key), lambda: self._store.applications.get(organization_id, key)
        )

    def cached_endpoints(self, application_id: str) -> Sequence[StoredEndpoint] | None:
        """The endpoints of an application, if they are in memory: the fast way of :meth:`endpoints`."""
        return self._endpoints.get(application_id)

    async def endpoints(self, application_id: str) -> Sequence[StoredEndpoint]:
        """The endpoints of an application that are not deleted."""
        return await self._endpoints.load(application_id, lambda: self._store.endpoints.of_application(application_id))

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
        """An application was added, changed or deleted: give its id, and its old and new uid."""
        for key in keys:
            if key is not None:
                self._applications.forget((organization_id, key))

    def forget_endpoints(self, application_id: str) -> None:
        """An endpoint of the application was added, changed or deleted."""
        self._endpoints.forget(application_id)

    def clear(self) -> None:
        """Forget all: it may have been changed by another engine."""
        self._applications.clear()
        self._endpoints.clear()


class _Cache(Generic[K, V]):
    """Keeps what was used last."""

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
            # What was read while it changed may be the state before the change, and would stay for ever.
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
    """A read under way."""

    __slots__ = ("outdated",)

    def __init__(self) -> None:
        self.outdated = True
