"""Validation of an endpoint's transformation script. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from webhook_engine.errors import ValidationError
from webhook_engine.rules.values import kind_of

__all__ = ["MAX_CODE", "MIN_CODE", "code", "variables"]

MIN_CODE, MAX_CODE = 10, 51_200
"""Characters, as in the API of the hosted service."""
MAX_VARIABLES = 50
MAX_NAME = 256
MAX_VALUE = 4096


def code(field: str, value: object) -> str | None:
    """A script, or ``None`` for none; raises ``ValidationError``."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {kind_of(value)}")
    if not MIN_CODE <= len(value) <= MAX_CODE:
        raise ValidationError(field, f"must have {MIN_CODE} to {MAX_CODE} characters, not {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError(field, "must be valid Unicode") from None
    return str.__str__(value)


def variables(field: str, value: object) -> dict[str, str]:
    """The variables that a script gets besides the webhook; raises ``ValidationError``."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of names to values, not {kind_of(value)}")
    if len(value) > MAX_VARIABLES:
        raise ValidationError(field, f"must have at most {MAX_VARIABLES} items, not {len(value)}")
    for name, text in value.items():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise ValidationError(field, f"must have names of 1 to {MAX_NAME} characters")
        if not isinstance(text, str) or len(text) > MAX_VALUE:
            raise ValidationError(f"{field}[{name!r}]", f"must be a string of at most {MAX_VALUE} characters")
    return {str(name): str(text) for name, text in value.items()}
