"""Keys: the ids and uids by which callers address things. Pure."""

from __future__ import annotations

from webhook_engine.errors import NotFoundError, ValidationError
from webhook_engine.rules.names import is_name
from webhook_engine.rules.values import kind_of

__all__ = ["keys", "required_key"]

SHOWN = 40
"""Characters of an invalid key that are repeated in the error."""


def required_key(kind: str, key: object) -> str:
    """An id, uid or name of the right form; raises ``NotFoundError`` for any other, since nothing can have it."""
    if not isinstance(key, str):
        raise ValidationError(kind.replace(" ", "_"), f"must be an id or uid, not {kind_of(key)}")
    if not is_name(key):
        raise NotFoundError(kind, key if len(key) <= SHOWN else key[:SHOWN] + "…")
    return key


def keys(field: str, value: object, most: int) -> tuple[str, ...]:
    """Several ids or uids, of things that need not exist; raises ``ValidationError`` for other values."""
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in value):
        raise ValidationError(field, "must be a list of ids or uids")
    if len(value) > most:
        raise ValidationError(field, f"must have at most {most} items, not {len(value)}")
    return tuple(dict.fromkeys(value))
