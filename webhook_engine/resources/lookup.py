"""Finding what a caller addresses by id or uid, inside one organization."""

from __future__ import annotations

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.model import Application, Message
from webhook_engine.resources.services import Services
from webhook_engine.rules.names import is_name
from webhook_engine.store.records import StoredEndpoint

__all__ = ["find_application", "find_endpoint", "find_message", "keys", "required_key"]

SHOWN = 40
"""Characters of an impossible key that are repeated in the error."""


async def find_application(services: Services, organization_id: str, key: str) -> Application:
    """Raises ``NotFoundError`` if there is no such application in the organization."""
    required_key("application", key)
    application = await services.directory.application(organization_id, key)
    if application is None:
        raise NotFoundError("application", key)
    return application


async def find_endpoint(services: Services, application: Application, key: str) -> StoredEndpoint:
    """Raises ``NotFoundError`` if the application has no such endpoint, or has it no more."""
    required_key("endpoint", key)
    stored = await services.directory.endpoint(application.id, key)
    if stored is None:
        raise NotFoundError("endpoint", key)
    return stored


async def find_message(services: Services, application: Application, key: str) -> Message:
    """By id or event id; raises ``NotFoundError`` if the application has no such message."""
    required_key("message", key)
    message = await services.store.messages.get(application.id, key)
    if message is None:
        raise NotFoundError("message", key)
    return message


def required_key(kind: str, key: object) -> str:
    """An id, uid or name that may exist; raises ``NotFoundError`` if nothing can be called so."""
    if not isinstance(key, str):
        raise ValidationError(kind.replace(" ", "_"), f"must be an id or uid, not a {type(key).__name__}")
    if not is_name(key):
        raise NotFoundError(kind, key if len(key) <= SHOWN else key[:SHOWN] + "…")
    return key


def keys(field: str, value: object, most: int) -> tuple[str, ...]:
    """Several ids or uids, of things that there may or may not be; raises ``ValidationError`` if they are none."""
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in value):
        raise ValidationError(field, "must be a list of ids or uids")
    if len(value) > most:
        raise ValidationError(field, f"must have at most {most} items, not {len(value)}")
    return tuple(dict.fromkeys(value))
