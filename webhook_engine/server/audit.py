"""The audit log of changes made through the API, and so through the portal.

It keeps the names of the members that were given, and their values only where they cannot hold a secret: booleans and
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import NODEFAULT

from webhook_engine.clock import Clock
from webhook_engine.errors import StoreError
from webhook_engine.ids import IdSource
from webhook_engine.log import get_logger
from webhook_engine.server.auth import Principal
from webhook_engine.store.audit import AUDIT_PREFIX, AuditEntry, AuditStore

__all__ = ["UNAUDITED", "AuditLog", "changes_of"]

UNAUDITED = frozenset(
    {
        # The message itself records that it was accepted, so it needs no entry.
        "message.create",
        "message.create-batch",
        # These only read.
        "message.precheck",
        "endpoint.precheck-url",
        "endpoint.diagnose",
        "environment.export",
        "statistics.aggregate-app-stats",
        "statistics.aggregate-event-types",
    }
)
"""Operations with a method other than GET that change nothing, or nothing that belongs in this log."""
LONGEST = 500
"""Characters of a target that are kept."""

log = get_logger("audit")


class AuditLog:
    """Records who changed what, after the change and before the response."""

    def __init__(self, store: AuditStore, clock: Clock, ids: IdSource, *, addresses: bool) -> None:
        """``addresses``: whether to keep clients' addresses."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._addresses = addresses

    async def record(
        self,
        principal: Principal,
        action: str,
        *,
        application_id: str | None,
        target: str | None,
        body: msgspec.Struct,
        address: Callable[[], str | None],
    ) -> None:
        """Record a change. If that fails, log the failure: the change itself was made."""
        entry = AuditEntry(
            id=self._ids.new(AUDIT_PREFIX, self._clock.now()),
            organization_id=principal.organization.id,
            application_id=application_id,
            subject=principal.application_id or principal.organization.id,
            token_id=principal.token_id,
            session_id=principal.session_id,
            action=action,
            target=None if target is None else _storable(target)[:LONGEST],
            changes=tuple(changes_of(body)),
            address=address() if self._addresses else None,
        )
        try:
            await self._store.add(entry)
        except StoreError as error:
            log.error(
                "audit.unwritten",
                action=entry.action,
                subject=entry.subject,
                target=entry.target,
                application_id=application_id,
                error=str(error),
            )


def changes_of(body: msgspec.Struct) -> Iterator[str]:
    """The names, on the wire, of the members that were given. Pure."""
    for field in msgspec.structs.fields(body):
        value = getattr(body, field.name)
        default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
        if value == default:
            continue
        plain = isinstance(value, bool | int) or value is None
        yield f"{field.encode_name} = {msgspec.json.encode(value).decode()}" if plain else field.encode_name


def _storable(text: str) -> str:
    """Without characters that a database cannot store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
