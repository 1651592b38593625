"""Alerts: how the consumer hears that an endpoint fails, is disabled, has recovered or does not keep up.

An alert is stored as an endpoint and sent through the same outbox. It belongs to an application of the organization
``alerts.organization`` whose uid names the application that the alert is about.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.delivery.mail.letters import CONFIRM, MOST_NAMED, TEST
from webhook_engine.delivery.mail.links import CONFIRM_LINK, UNSUBSCRIBE_LINK, endpoint_of_link
from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import Alert, Application, Endpoint, Message
from webhook_engine.resources.applications import Applications
from webhook_engine.resources.endpoint_actions import send_to
from webhook_engine.resources.endpoints import Endpoints
from webhook_engine.resources.operational_events import register_operational_event_types
from webhook_engine.resources.services import Services
from webhook_engine.rules import values
from webhook_engine.rules.alerts import CHATS, alert_events, alert_kind, alerts_application
from webhook_engine.rules.endpoint_options import OptionValues
from webhook_engine.rules.mail import mail_address, mail_address_in, mail_url
from webhook_engine.rules.message import MessageDraft

__all__ = ["AlertLinks", "Alerts"]

MAX_ALERTS: Final = 20
"""Alerts that one application may have."""
KIND: Final = "kind"


class Alerts:
    """The alerts of the applications of an organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id
        self._applications = Applications(services, services.policy.alerts_organization)
        self._endpoints = Endpoints(services, services.policy.alerts_organization)

    async def create(
        self,
        application: str,
        *,
        kind: str,
        to: str,
        events: Collection[str] | None = None,
        confirmed: bool = True,
    ) -> Alert:
        """Add an alert: notify somebody of what happens to the endpoints of an application.

        ``kind``: ``email`` (``to`` is an address), ``slack``, ``discord`` or ``teams`` (the URL of an incoming webhook
        there) or ``webhook`` (a URL that gets the operational events as they are, signed). ``events``: by default
        ``endpoint.failing``, ``.disabled``, ``.recovered`` and ``.backlog``; ``message.attempt.exhausted`` as well.
        ``confirmed=False``: an address gets no alerts until somebody opens the link in its confirmation e-mail.

        Raises ``NotFoundError``, and ``ValidationError``, also if no mail server is configured or the application has
        20 alerts already.
        """
        found = await self._services.directory.find_application(self._organization_id, application)
        wanted = alert_kind("kind", kind)
        chosen = alert_events("events", events)
        asks = not values.boolean("confirmed", confirmed) and wanted == "email"
        holder = await self._holder(found)
        if await self._services.store.endpoints.count(holder.id) >= MAX_ALERTS:
            raise ValidationError("kind", f"an application has at most {MAX_ALERTS} alerts; delete one first")
        endpoint = await self._endpoints.create(
            holder.id,
            url=self._url(wanted, to),
            event_types=chosen,
            metadata={KIND: wanted},
            disabled=asks,
            **self._options(wanted),
        )
        if asks:
            await self._send(found, holder, endpoint, CONFIRM)
        return _alert(found.id, endpoint)

    async def get(self, application: str, alert: str) -> Alert:
        """Raises ``NotFoundError`` if there is none."""
        found, endpoint = await self._find(application, alert)
        return _alert(found.id, endpoint)

    async def list(self, application: str) -> Sequence[Alert]:
        """All alerts of an application, oldest first; raises ``NotFoundError``."""
        found = await self._services.directory.find_application(self._organization_id, application)
        holder = await self._known_holder(found)
        if holder is None:
            return ()
        kept = await self._services.store.endpoints.of_application(holder.id)
        return tuple(sorted((_alert(found.id, stored.endpoint) for stored in kept), key=lambda one: one.id))

    async def update(
        self, application: str, alert: str, *, events: Collection[str] | UnsetType | None = UNSET
    ) -> Alert:
        """Change which events are notified from now on; raises ``NotFoundError`` and ``ValidationError``."""
        found, endpoint = await self._find(application, alert)
        if events is UNSET:
            return _alert(found.id, endpoint)
        chosen = alert_events("events", events)
        changed = await self._endpoints.update(endpoint.application_id, endpoint.id, event_types=chosen)
        return _alert(found.id, changed)

    async def get_secret(self, application: str, alert: str) -> str:
        """The secret that the receiver of a ``webhook`` alert verifies with; raises ``NotFoundError``."""
        _, endpoint = await self._find(application, alert)
        return await self._endpoints.get_secret(endpoint.application_id, endpoint.id)

    async def delete(self, application: str, alert: str) -> None:
        """Delete an alert; raises ``NotFoundError``."""
        _, endpoint = await self._find(application, alert)
        await self._endpoints.delete(endpoint.application_id, endpoint.id)

    async def test(self, application: str, alert: str) -> Message:
        """Send a test message at once; raises ``NotFoundError``."""
        found, endpoint = await self._find(application, alert)
        holder = await self._applications.get(endpoint.application_id)
        return await self._send(found, holder, endpoint, TEST)

    async def _holder(self, application: Application) -> Application:
        services = self._services
        await register_operational_event_types(
            services.store.event_types, services.policy.alerts_organization, services.clock.now()
        )
        return await self._applications.get_or_create(
            name=f"Alerts of {application.name}"[:256], uid=alerts_application(application.id)
        )

    async def _known_holder(self, application: Application) -> Application | None:
        services = self._services
        return await services.directory.application(
            services.policy.alerts_organization, alerts_application(application.id)
        )

    async def _find(self, application: str, alert: str) -> tuple[Application, Endpoint]:
        found = await self._services.directory.find_application(self._organization_id, application)
        holder = await self._known_holder(found)
        if holder is None:
            raise NotFoundError("alert", alert)
        try:
            return found, await self._endpoints.get(holder.id, alert)
        except NotFoundError:
            raise NotFoundError("alert", alert) from None

    async def _send(self, application: Application, holder: Application, endpoint: Endpoint, kind: str) -> Message:
        body = {"type": kind, "data": {"appId": application.id, "appUid": application.uid, "appName": application.name}}
        return await send_to(self._services, holder, endpoint.id, MessageDraft(kind, msgspec.json.encode(body)))

    def _url(self, kind: str, to: object) -> str:
        if kind != "email":
            return to if isinstance(to, str) else ""
        if not self._services.policy.sends_mail:
            raise ValidationError("kind", "email needs a mail server, and none is configured (alerts.smtp_host)")
        return mail_url(mail_address("to", to))

    def _options(self, kind: str) -> OptionValues:
        """An e-mail collects all events of a short time, in the order in which they happened."""
        if kind in CHATS:
            return {"transformation": kind}
        if kind != "email":
            return {}
        digest = self._services.policy.digest
        return {"ordering": "fifo", "ordering_on_exhausted": "skip", "batch_size": MOST_NAMED, "batch_wait": digest}


class AlertLinks:
    """What the links in e-mails do. They need no token: a link allows its one action and nothing else."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._applications = Applications(services, services.policy.alerts_organization)
        self._endpoints = Endpoints(services, services.policy.alerts_organization)

    async def confirm(self, key: str) -> bool:
        """Activate the alerts to an address; ``False`` if the link belongs to no alert."""
        found = endpoint_of_link(self._services.cipher, CONFIRM_LINK, key)
        if found is None:
            return False
        try:
            await self._endpoints.enable(*found)
        except NotFoundError:
            return False
        return True

    async def unsubscribe(self, key: str) -> bool:
        """Stop the alerts to an address; ``False`` if the link belongs to no alert. A link may be used again."""
        found = endpoint_of_link(self._services.cipher, UNSUBSCRIBE_LINK, key)
        if found is None:
            return False
        with suppress(NotFoundError):
            await self._endpoints.delete(*found)
        return True


def _alert(application_id: str, endpoint: Endpoint) -> Alert:
    address = mail_address_in(endpoint.url)
    kind = endpoint.metadata.get(KIND, "webhook")
    return Alert(
        id=endpoint.id,
        application_id=application_id,
        kind=kind,
        to=endpoint.url if address is None else address,
        events=endpoint.event_types or (),
        active=not endpoint.disabled,
        inactive_reason=endpoint.disabled_reason,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )
