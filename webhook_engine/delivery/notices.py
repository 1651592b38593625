"""Handling notices from other engines on the same database."""

from __future__ import annotations

from collections.abc import Callable

from webhook_engine.delivery.accept.relay import Relay
from webhook_engine.delivery.ownership import Ownership
from webhook_engine.delivery.schedule.dispatcher import Dispatcher
from webhook_engine.delivery.schedule.incoming import Incoming
from webhook_engine.delivery.tasks.runner import TaskRunner
from webhook_engine.log import get_logger
from webhook_engine.store.directory import Directory
from webhook_engine.store.members import Notice

__all__ = ["Notices"]

log = get_logger("flow")


class Notices:
    """Passes each notice to the parts concerned; ``now`` returns the time."""

    def __init__(
        self,
        *,
        ownership: Ownership,
        directory: Directory,
        dispatcher: Dispatcher,
        incoming: Incoming | None,
        relay: Relay,
        tasks: TaskRunner,
        now: Callable[[], int],
    ) -> None:
        self._ownership = ownership
        self._directory = directory
        self._dispatcher = dispatcher
        self._incoming = incoming
        self._relay = relay
        self._tasks = tasks
        self._now = now
        self._handlers: list[Callable[[Notice], None]] = []

    def on(self, handler: Callable[[Notice], None]) -> Callable[[], None]:
        """Call ``handler`` with every notice too; returns a function that unsubscribes it."""
        self._handlers.append(handler)
        return lambda: self._handlers.remove(handler)

    def take(self, notice: Notice) -> None:
        """Handle a notice from another engine."""
        holds, dispatcher = self._ownership.holds, self._dispatcher
        for organization_id, application_id, uid in notice.applications:
            self._directory.forget_application(organization_id, application_id, uid)
            self._directory.forget_endpoints(application_id)
            dispatcher.application_changed(application_id)
        for endpoint_id, application_id, shard in notice.endpoints:
            self._directory.forget_endpoints(application_id)
            dispatcher.look_again(endpoint_id, ours=holds(shard))
        if notice.deliveries and self._incoming is not None:
            self._incoming.add([given for given in notice.deliveries if holds(given.shard)])
        for endpoint_id, shard in notice.manual:
            if holds(shard):
                dispatcher.manual_stored(endpoint_id, self._now())
        for endpoint_id, message_id in notice.cancelled:
            dispatcher.drop(endpoint_id, message_id)
        if notice.expunged:
            dispatcher.expunged(notice.expunged)
        if notice.tasks:
            self._tasks.look()
        if notice.members:
            self._ownership.nudge()
        if notice.outbox:
            self._relay.told(notice.outbox)
        for handler in self._handlers:
            handler(notice)

    def missed(self) -> None:
        """Reload everything: notices of edits and deliveries may have been missed."""
        log.warning("notices.missed", consequence="everything is read anew")
        self._directory.clear()
        self._dispatcher.outdate_all()
        self._dispatcher.look_for_due()
        self._tasks.look()
        for handler in self._handlers:
            handler(Notice(revocations=True))
