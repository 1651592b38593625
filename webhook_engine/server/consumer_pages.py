"""The pages for consumers, by the first segment of the path: the portal and Play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from webhook_engine.config.sections import ServerConfig
from webhook_engine.core import EngineCore
from webhook_engine.resources.alerts import AlertLinks
from webhook_engine.server.alert_pages import AlertPages
from webhook_engine.server.play.inboxes import Inboxes
from webhook_engine.server.play.routes import PlayPages
from webhook_engine.server.portal.appearance import Appearance
from webhook_engine.server.portal.routes import PortalPages

if TYPE_CHECKING:
    from webhook_engine.server.app import Page

__all__ = ["consumer_pages"]


def consumer_pages(engine: EngineCore, server: ServerConfig, public_url: str) -> Mapping[str, Page]:
    """The pages that the configuration enables."""
    services, config = engine.services, engine.config
    pages: dict[str, Page] = {"alerts": AlertPages(AlertLinks(services))}
    appearance = Appearance(config.portal)
    if server.portal or server.play:
        pages["portal"] = PortalPages(config.portal, appearance, page=server.portal)
    if server.play:
        inboxes = Inboxes(services.store.play, services.clock, services.ids, config.play)
        pages["play"] = PlayPages(inboxes, public_url, appearance)
    return pages
