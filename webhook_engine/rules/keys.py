"""Keys: the ids and uids that a caller addresses things by. Pure."""

from __future__ import annotations

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.rules.names import is_name
from webhook_engine.rules.values import kind_of

__all__ = ["keys", "required_key"]

SHOWN = 40
"""Characters of an impossible key that are repeated in the error."""


def required_key(kind: str, key: object) -> str:
    """An id, uid or name that may exist; raises ``NotFoundError`` if nothing can be called so."""
    if not isinstance(key, str):
        raise ValidationError(kind.replace(" ", "_"), f"must be an id or uid, not {kind_of(key)}")
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
