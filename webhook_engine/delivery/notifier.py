"""Notifies of operational events: the handlers of the host program, and endpoints by operational webhooks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from webhook_engine.delivery.accept.addressing import addressed
from webhook_engine.delivery.accept.intake import Intake
from webhook_engine.events import OperationalEvent
from webhook_engine.log import get_logger
from webhook_engine.model import Application
from webhook_engine.rules.alerts import ALERTS, alerts_application
from webhook_engine.rules.message import MessageDraft
from webhook_engine.store.directory import Directory
from webhook_engine.store.records import AddressedMessage

__all__ = ["Handler", "Notifier"]

log = get_logger("events")

E = TypeVar("E", bound=OperationalEvent)
Handler = Callable[[E], Awaitable[object] | object]


class Notifier:
    """Makes webhooks of events, and calls the host's handlers."""

    def __init__(
        self, directory: Directory, intake: Intake, operational_organization: str, alerts_organization: str
    ) -> None:
        self._directory = directory
        self._intake = intake
        self._operational = operational_organization
        self._alerts = alerts_organization
        self._handlers: list[tuple[type[OperationalEvent], Handler[OperationalEvent]]] = []
        self._running: set[asyncio.Task[None]] = set()

    def on(self, kind: type[E], handler: Handler[E]) -> None:
        """Call ``handler`` with every event of this class or of a subclass of it."""
        self._handlers.append((kind, handler))  # type: ignore[arg-type]

    async def webhooks(self, events: Sequence[OperationalEvent]) -> list[AddressedMessage]:
        """The events as messages of their organizations' operational applications, if there are any.

        An event that an application has alerts for also becomes a message for those alerts.
        """
        made: list[AddressedMessage] = []
        for event in events:
            # Events about these webhooks themselves are not sent as webhooks: that could loop for ever.
            if event.organization_id in (self._operational, self._alerts):
                continue
            if (found := await self._directory.application(self._operational, event.organization_id)) is not None:
                made += await self._addressed(found, event.type, event.body())
            if event.type not in ALERTS:
                continue
            alerts_uid = alerts_application(event.application_id)
            if (found := await self._directory.application(self._alerts, alerts_uid)) is not None:
                made += await self._addressed(found, event.type, await self._named(event))
        return made

    async def _addressed(
        self, application: Application, event_type: str, body: Mapping[str, object]
    ) -> Sequence[AddressedMessage]:
        message = self._intake.message_of(application, MessageDraft(event_type, msgspec.json.encode(body)))
        routes = await self._directory.fresh_routes(application.id)
        # The routes are fresh, and a stale revision must not make the reported change fail.
        return () if routes is None else [msgspec.structs.replace(addressed(message, routes), revision=None)]

    async def _named(self, event: OperationalEvent) -> Mapping[str, object]:
        """The body of an event, with the names of the application and its endpoint."""
        data = event.data()
        application = await self._directory.application(event.organization_id, event.application_id)
        routes = await self._directory.routes(event.application_id)
        concerned = data.get("endpointId")
        for stored in () if routes is None else routes.endpoints:
            if stored.endpoint.id == concerned:
                data["endpointUrl"] = stored.endpoint.url
        if application is not None:
            data["appName"] = application.name
        return {**event.body(), "data": data}

    def publish(self, event: OperationalEvent) -> None:
        """Run the handlers, each in a task of its own. Call this after the change is committed."""
        log.info(event.type, **_loggable(event))
        for kind, handler in self._handlers:
            if isinstance(event, kind):
                task = asyncio.create_task(_call(handler, event))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def stop(self, grace_s: float) -> None:
        """Let running handlers finish within ``grace_s`` seconds, then cancel them."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _call(handler: Handler[OperationalEvent], event: OperationalEvent) -> None:
    try:
        result = handler(event)
        if inspect.isawaitable(result):
            await result
    except Exception:
        # A handler is the host's code: its failure is logged for the host, and is no reason to stop delivering.
        log.exception("event.handler_failed", type=event.type, handler=getattr(handler, "__qualname__", repr(handler)))


def _loggable(event: OperationalEvent) -> dict[str, object]:
    ids: dict[str, object] = {"organization_id": event.organization_id, "application_id": event.application_id}
    for name in ("endpoint_id", "message_id", "task_id", "reason"):
        if value := getattr(event, name, None):
            ids[name] = value
    return ids
