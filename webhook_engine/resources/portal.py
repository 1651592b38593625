"""Access to the consumers' portal: a URL that opens one session, once, within a short time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from webhook_engine.errors import PortalUnavailableError, ValidationError
from webhook_engine.resources.portal_links import PortalLinks
from webhook_engine.resources.services import Services
from webhook_engine.rules import names, values
from webhook_engine.rules.capabilities import READ_ONLY

__all__ = ["Portal", "PortalEntrance"]


class PortalEntrance:
    """The portal's URL and its links; shared by all organizations of an engine."""

    def __init__(self, links: PortalLinks, session_ttl: timedelta, public_url: str | None) -> None:
        self.links = links
        self.session_ttl = session_ttl
        self._public_url = public_url
        self._served_at: str | None = None

    @property
    def base_url(self) -> str | None:
        """The URL at which browsers reach the server; ``None`` if none is known."""
        return self._public_url or self._served_at

    def serve_at(self, base_url: str | None) -> None:
        """Set the URL of the portal; ``None`` means that it is not served any more."""
        self._served_at = base_url


class Portal:
    """Links to the portal for the applications of an organization."""

    def __init__(self, services: Services, organization_id: str, entrance: PortalEntrance) -> None:
        self._services = services
        self._organization_id = organization_id
        self._entrance = entrance

    async def url(
        self,
        application: str,
        *,
        expiry: timedelta | None = None,
        feature_flags: Collection[str] = (),
        read_only: bool = False,
    ) -> str:
        """A URL that the consumer opens in a browser: valid for one use within ``portal.link_ttl``.

        ``expiry``: how long the session lasts, ``portal.session_ttl`` by default. ``feature_flags``: also show event
        types with these flags. ``read_only``: the session may change nothing. Raises ``NotFoundError``,
        ``ValidationError``, and ``PortalUnavailableError`` if no server runs and no ``server.public_url`` is set.
        """
        base_url = self._entrance.base_url
        if base_url is None:
            raise PortalUnavailableError(
                "the portal has no address: serve it with `async with engine.serve():`, or set server.public_url to "
                "where the daemon that works on this database is reached"
            )
        lasting = self._entrance.session_ttl if expiry is None else expiry
        if not isinstance(lasting, timedelta) or lasting < timedelta(seconds=1):
            raise ValidationError("expiry", "must be a timedelta of at least one second")
        flags = [names.name(f"feature_flags[{place}]", flag) for place, flag in enumerate(feature_flags)]
        capabilities = READ_ONLY if values.boolean("read_only", read_only) else None
        found = await self._services.directory.find_application(self._organization_id, application)
        key = await self._entrance.links.create(
            self._organization_id, found.id, lasting, feature_flags=flags, capabilities=capabilities
        )
        return f"{base_url}/portal/#key={key}"
