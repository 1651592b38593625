"""Alerts on the wire; these routes are not part of the contract with client libraries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from webhook_engine.model import Alert
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.lists import ListResponse
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route

__all__ = ["ROUTES"]


class AlertIn(In, frozen=True, kw_only=True):
    """A new alert."""

    kind: str
    """``email``, ``slack``, ``discord``, ``teams`` or ``webhook``."""
    to: str
    """An e-mail address, or a URL."""
    events: list[str] | None = None


class AlertPatch(In, frozen=True, kw_only=True):
    """Changes of an alert."""

    events: list[str] | UnsetType | None = UNSET


class AlertOut(Out, frozen=True, kw_only=True):
    """An alert."""

    id: str
    kind: str
    to: str
    events: Sequence[str]
    active: bool
    """False for an address that is not confirmed yet, and for a recipient that failed for five days."""
    inactive_reason: str | None
    created_at: datetime
    updated_at: datetime


class AlertTestOut(Out, frozen=True, kw_only=True):
    """The message that was sent."""

    id: str


class AlertSecretOut(Out, frozen=True, kw_only=True):
    """A signing secret."""

    key: str


def _shown(alert: Alert) -> AlertOut:
    return AlertOut(
        id=alert.id,
        kind=alert.kind,
        to=alert.to,
        events=alert.events,
        active=alert.active,
        inactive_reason=alert.inactive_reason,
        created_at=alert.created_at,
        updated_at=alert.updated_at,
    )


async def list_alerts(call: Call[NoQuery, NoBody]) -> Out:
    """List the recipients of alerts about the application's endpoints, oldest first."""
    found = await call.organization.alerts.list(call.application.id)
    return ListResponse[AlertOut](data=[_shown(one) for one in found], iterator=None, done=True)


async def create_alert(call: Call[NoQuery, AlertIn]) -> Out:
    """Add an alert. With an application's token, an e-mail address must be confirmed by its owner first."""
    body = call.body
    return _shown(
        await call.organization.alerts.create(
            call.application.id,
            kind=body.kind,
            to=body.to,
            events=body.events,
            confirmed=call.principal.application_id is None,
        )
    )


async def get_alert(call: Call[NoQuery, NoBody]) -> Out:
    """Get an alert."""
    return _shown(await call.organization.alerts.get(call.application.id, call.parameters["alert_id"]))


async def get_alert_secret(call: Call[NoQuery, NoBody]) -> Out:
    """Get the secret with which the receiver of a webhook verifies signatures."""
    return AlertSecretOut(
        key=await call.organization.alerts.get_secret(call.application.id, call.parameters["alert_id"])
    )


async def update_alert(call: Call[NoQuery, AlertPatch]) -> Out:
    """Change which events the alert is for."""
    alerts = call.organization.alerts
    return _shown(await alerts.update(call.application.id, call.parameters["alert_id"], events=call.body.events))


async def delete_alert(call: Call[NoQuery, NoBody]) -> None:
    """Delete an alert."""
    await call.organization.alerts.delete(call.application.id, call.parameters["alert_id"])


async def test_alert(call: Call[NoQuery, NoBody]) -> Out:
    """Send a test at once."""
    message = await call.organization.alerts.test(call.application.id, call.parameters["alert_id"])
    return AlertTestOut(id=message.id)


_COLLECTION = "/app/{app_id}/alert"
_ONE = "/app/{app_id}/alert/{alert_id}"

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        _COLLECTION,
        list_alerts,
        auth=Auth.APPLICATION,
        responses={200: ListResponse[AlertOut]},
        summary="List the alerts of an application",
        operation="alert.list",
    ),
    Route(
        "POST",
        _COLLECTION,
        create_alert,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=AlertIn,
        responses={201: AlertOut},
        summary="Create an alert",
        operation="alert.create",
    ),
    Route(
        "GET",
        _ONE,
        get_alert,
        auth=Auth.APPLICATION,
        responses={200: AlertOut},
        summary="Get an alert",
        operation="alert.get",
    ),
    Route(
        "GET",
        f"{_ONE}/secret",
        get_alert_secret,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_ENDPOINT_SECRET,
        responses={200: AlertSecretOut},
        summary="Get the signing secret of an alert",
        operation="alert.get-secret",
        secret=True,
    ),
    Route(
        "PATCH",
        _ONE,
        update_alert,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=AlertPatch,
        responses={200: AlertOut},
        summary="Change an alert",
        operation="alert.patch",
    ),
    Route(
        "DELETE",
        _ONE,
        delete_alert,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        responses={204: None},
        summary="Delete an alert",
        operation="alert.delete",
    ),
    Route(
        "POST",
        f"{_ONE}/test",
        test_alert,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        responses={202: AlertTestOut},
        summary="Send a test alert",
        operation="alert.test",
    ),
)
