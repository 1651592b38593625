"""Who changed what: the audit log of an organization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from webhook_engine.store.records import Span

__all__ = ["AUDIT_PREFIX", "AuditEntry", "AuditFilter", "AuditStore"]

AUDIT_PREFIX = "audit_"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change that somebody made; the time of it is in the id."""

    id: str
    organization_id: str
    application_id: str | None
    subject: str
    """Whose token it was: an organization, or an application."""
    token_id: str
    session_id: str | None
    """Of the session of the portal, where the platform has given it a name."""
    action: str
    """The operation, such as ``endpoint.patch``."""
    target: str | None
    """What was changed: an id, a uid or a name."""
    changes: tuple[str, ...] = ()
    """Which members were given; with their values where these are true, false or numbers."""
    address: str | None = None


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes to list. All that is given has to fit."""

    application_id: str | None = None
    subject: str | None = None
    action: str | None = None
    target: str | None = None


class AuditStore(Protocol):
    """The audit log; nothing in it is ever changed, and upkeep deletes what is old."""

    async def add(self, entry: AuditEntry) -> None:
        """Keep a change that was made."""
        ...

    async def list(self, organization_id: str, span: Span, where: AuditFilter) -> Sequence[AuditEntry]:
        """In the order of ids."""
        ...
