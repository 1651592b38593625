"""What route handlers use, besides the managers of the caller's organization."""

from __future__ import annotations

from dataclasses import dataclass

from webhook_engine.core import EngineCore
from webhook_engine.resources.portal_links import PortalLinks
from webhook_engine.resources.services import Services
from webhook_engine.server.audit import AuditLog
from webhook_engine.server.auth import Authenticator
from webhook_engine.server.live import LiveStreams
from webhook_engine.server.revocations import Revocations
from webhook_engine.server.tokens import TokenKeys

__all__ = ["Context"]


@dataclass(slots=True)
class Context:
    """The parts of a server."""

    engine: EngineCore
    services: Services
    keys: TokenKeys
    authenticator: Authenticator
    revocations: Revocations
    links: PortalLinks
    audit: AuditLog
    live: LiveStreams
    public_url: str
    """The base URL for browsers, without a trailing slash."""
