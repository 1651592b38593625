"""Finding the message that a caller addresses."""

from __future__ import annotations

from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application, Message
from webhook_engine.resources.services import Services
from webhook_engine.rules.keys import required_key

__all__ = ["find_message"]


async def find_message(services: Services, application: Application, key: str) -> Message:
    """By id or event id; raises ``NotFoundError`` if the application has no such message."""
    required_key("message", key)
    message = await services.store.messages.get(application.id, key)
    if message is None:
        raise NotFoundError("message", key)
    return message
