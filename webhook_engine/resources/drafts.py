"""A message before it is accepted: found its application, obeyed the rules, got its id."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Required, TypedDict, Unpack

from webhook_engine.resources.intake import prepare
from webhook_engine.resources.lookup import find_application
from webhook_engine.resources.payloads import Payload
from webhook_engine.resources.services import Services
from webhook_engine.store.records import NewMessage

__all__ = ["MessageFields", "draft_message"]


class MessageFields(TypedDict, total=False):
    """What a caller says of a message; see ``messages.create``."""

    event_type: Required[str]
    payload: Required[Payload]
    event_id: str | None
    channels: Collection[str] | None
    tags: Collection[str] | None
    deliver_at: datetime | None
    payload_retention_period: int | None
    payload_retention_hours: int | None


async def draft_message(
    services: Services, organization_id: str, application: str, **fields: Unpack[MessageFields]
) -> NewMessage:
    """A message that :meth:`~webhook_engine.delivery.pipeline.DeliveryFlow.accept` takes.

    Raises ``NotFoundError`` for an unknown application and ``ValidationError`` for a value that is not allowed.
    """
    found = None
    if isinstance(application, str):
        found = services.directory.cached_application(organization_id, application)
    if found is None:
        found = await find_application(services, organization_id, application)
    now = services.clock.now()
    return prepare(found, services.policy, services.ids.new("msg_", now), now, **fields)
