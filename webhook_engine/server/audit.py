"""The audit log of what is changed through the API, and so through the portal: what of a request is kept.

Names of members are kept, and values only where they can hold no secret: true, false and numbers.
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
        # What is accepted is a message, which says by itself that it was; nothing is written twice for it.
        "message.create",
        "message.create-batch",
        # They only look.
        "message.precheck",
        "endpoint.precheck-url",
        "endpoint.diagnose",
        "environment.export",
        "statistics.aggregate-app-stats",
        "statistics.aggregate-event-types",
    }
)
"""Operations with another method than GET that change nothing, or nothing that this log is about."""
LONGEST = 500
"""Characters of a target."""

log = get_logger("audit")


class AuditLog:
    """Writes down who changed what, right after it was changed and before the client hears of it."""

    def __init__(self, store: AuditStore, clock: Clock, ids: IdSource, *, addresses: bool) -> None:
        """``addresses``: whether those of clients are kept."""
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
        """Keep a change. Where that cannot be done, the log of the server says so: the change itself was made."""
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
    """The members that were given, by their names on the wire; pure."""
    for field in msgspec.structs.fields(body):
        value = getattr(body, field.name)
        default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
        if value == default:
            continue
        plain = isinstance(value, bool | int) or value is None
        yield f"{field.encode_name} = {msgspec.json.encode(value).decode()}" if plain else field.encode_name


def _storable(text: str) -> str:
    """Without what a database cannot keep."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
