"""What the resources need of the delivery flow, and of the engine around it; the engine hands it to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.events import OperationalEvent
from webhook_engine.ids import IdSource
from webhook_engine.model import Task
from webhook_engine.resources.edits import EditLocks
from webhook_engine.secrets.encryption import Sealer
from webhook_engine.store.access import KeptAnswer
from webhook_engine.store.directory import Directory
from webhook_engine.store.records import Due, NewMessage, RoutedMessage, StoredEndpoint
from webhook_engine.store.seam import Store

__all__ = ["Flow", "Policy", "Services"]


class Flow(Protocol):
    """The delivery flow as the resources see it."""

    async def accept(
        self, message: NewMessage, *, manual_to: str | None = None, answer: KeptAnswer | None = None
    ) -> None:
        """Route a message and store it with its deliveries; durable when this returns.

        With ``manual_to`` it goes to that endpoint alone, whatever its filters, as one manual attempt. ``answer`` is
        kept if and only if the message is stored.
        Raises ``ConflictError`` if the event id is taken.
        """
        ...

    def oldest_unstored(self) -> str | None:
        """The lowest id of a message that was accepted and is not stored yet."""
        ...

    async def attempt(self, due: Due) -> bool:
        """Make one manual attempt soon; the request is durable when this returns. ``False``: the payload is gone."""
        ...

    def endpoint_changed(self, stored: StoredEndpoint) -> None:
        """An endpoint was changed or deleted, committed; it applies from the next attempt."""
        ...

    def application_changed(self, application_id: str) -> None:
        """An application was changed, committed; its rate limit applies from the next attempt."""
        ...

    def cancelled(self, endpoint_id: str, message_id: str) -> None:
        """A delivery was cancelled in the store; it is not made any more."""
        ...

    def expunged(self, message_ids: Collection[str]) -> None:
        """Payloads were deleted in the store; no attempt that begins from now on sends them."""
        ...

    async def settle(self, endpoint_id: str) -> None:
        """End all that is scheduled for an endpoint that is disabled or deleted; returns when nothing is left."""
        ...

    async def start_task(self, task: Task, cursor: str | None) -> None:
        """Run a background task; durable when this returns."""
        ...

    async def webhooks(self, events: Sequence[OperationalEvent]) -> Sequence[RoutedMessage]:
        """The events as messages of operational applications, to be stored with what happened."""
        ...

    def tell(self, events: Sequence[OperationalEvent], webhooks: Sequence[RoutedMessage]) -> None:
        """What happened is committed, with these webhooks: send them, and tell the handlers."""
        ...


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits that validation obeys."""

    https_only: bool
    default_signature: str
    """``hmac256`` or ``ed25519``."""
    recover_max_age: timedelta
    payload_retention: timedelta
    max_payload_bytes: int = 1024 * 1024


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the managers of the resources work with."""

    store: Store
    directory: Directory
    flow: Flow
    clock: Clock
    ids: IdSource
    sealer: Sealer
    policy: Policy
    edits: EditLocks = msgspec.field(default_factory=EditLocks)
    """Shared by all managers of an engine."""
