"""The audit log of an organization: who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from webhook_engine.store.records import Span

__all__ = ["AUDIT_PREFIX", "AuditEntry", "AuditFilter", "AuditStore"]

AUDIT_PREFIX = "audit_"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change; its time is in the id."""

    id: str
    organization_id: str
    application_id: str | None
    subject: str
    """The subject of the token: an organization or an application."""
    token_id: str
    session_id: str | None
    """The id of the portal session, if the platform has given it one."""
    action: str
    """The operation, such as ``endpoint.patch``."""
    target: str | None
    """What was changed: an id, a uid or a name."""
    changes: tuple[str, ...] = ()
    """The members that were given, with their values if these are booleans or numbers."""
    address: str | None = None


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes to list. All given conditions must match."""

    application_id: str | None = None
    subject: str | None = None
    action: str | None = None
    target: str | None = None


class AuditStore(Protocol):
    """The audit log. Entries are never changed; upkeep deletes old ones."""

    async def add(self, entry: AuditEntry) -> None:
        """Store an entry."""
        ...

    async def list(self, organization_id: str, span: Span, where: AuditFilter) -> Sequence[AuditEntry]:
        """List entries in the order of ids."""
        ...
