"""An organization: the managers of one tenant of the platform."""

from __future__ import annotations

from webhook_engine.resources.alerts import Alerts
from webhook_engine.resources.applications import Applications
from webhook_engine.resources.attempts import Attempts
from webhook_engine.resources.endpoints import Endpoints
from webhook_engine.resources.event_types import EventTypes
from webhook_engine.resources.imports import Imports
from webhook_engine.resources.messages import Messages
from webhook_engine.resources.portal import Portal, PortalEntrance
from webhook_engine.resources.services import Services
from webhook_engine.resources.tasks import Tasks

__all__ = ["Organization"]


class Organization:
    """The managers of one organization, a tenant of the platform."""

    def __init__(self, services: Services, organization_id: str, entrance: PortalEntrance) -> None:
        self.id = organization_id
        self.applications = Applications(services, organization_id)
        self.endpoints = Endpoints(services, organization_id)
        self.event_types = EventTypes(services, organization_id)
        self.messages = Messages(services, organization_id)
        self.alerts = Alerts(services, organization_id)
        self.attempts = Attempts(services, organization_id)
        self.tasks = Tasks(services, organization_id)
        self.imports = Imports(services, organization_id)
        self.portal = Portal(services, organization_id, entrance)
