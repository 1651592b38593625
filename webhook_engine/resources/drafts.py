"""A message before it is accepted: found its application, obeyed the rules, got its id."""

from __future__ import annotations

from webhook_engine.resources.intake import prepare
from webhook_engine.resources.lookup import find_application
from webhook_engine.resources.services import Services
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.store.records import NewMessage

__all__ = ["prepare_message"]


async def prepare_message(
    services: Services, organization_id: str, application: str, draft: MessageDraft
) -> NewMessage:
    """A message that :meth:`~webhook_engine.delivery.pipeline.Pipeline.accept` takes.

    Raises ``NotFoundError`` for an unknown application and ``ValidationError`` for a value that is not allowed.
    """
    found = None
    if isinstance(application, str):
        found = services.directory.cached_application(organization_id, application)
    if found is None:
        found = await find_application(services, organization_id, application)
    now = services.clock.now()
    return prepare(found, services.policy, services.ids.new(MESSAGE_PREFIX, now), now, draft)
