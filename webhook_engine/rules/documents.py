"""JSON documents kept with a resource: metadata, and the JSON Schemas of an event type. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from webhook_engine.errors import ValidationError
from webhook_engine.rules.names import is_name
from webhook_engine.rules.problems import Rule
from webhook_engine.rules.values import encoded, quoted

__all__ = ["MAX_METADATA_BYTES", "metadata", "schemas"]

MAX_METADATA_BYTES = 4096
MAX_SCHEMAS_BYTES = 1024 * 1024


def metadata(field: str, value: object) -> dict[str, str]:
    """A mapping of strings to strings, at most 4096 bytes as JSON; ``None`` means empty. Raises ``ValidationError``."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of strings, not {quoted(value)}")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise ValidationError(field, f"must hold strings only, not {quoted(key)}: {quoted(item)}")
    plain = {str.__str__(key): str.__str__(item) for key, item in value.items()}
    size = len(encoded(field, json.dumps(plain, ensure_ascii=False, separators=(",", ":"))))
    if size > MAX_METADATA_BYTES:
        raise ValidationError(
            field, f"must be at most {MAX_METADATA_BYTES} bytes as JSON, not {size}", Rule.METADATA_SIZE
        )
    return plain


def schemas(field: str, value: object) -> dict[str, object] | None:
    """JSON Schemas by version, or ``None``. Each must be a JSON object; it is not checked as a schema."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of versions to JSON Schemas, not {quoted(value)}")
    for version, schema in value.items():
        if not is_name(version):
            raise ValidationError(field, f"must have versions as keys, such as '1', not {quoted(version)}")
        if not isinstance(schema, Mapping):
            raise ValidationError(f'{field}["{version}"]', f"must be a JSON object, not {quoted(schema)}")
    try:
        as_json = json.dumps(value, allow_nan=False, default=_as_dict)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(field, f"must be serializable as JSON: {error}") from None
    if len(as_json) > MAX_SCHEMAS_BYTES:
        raise ValidationError(field, f"must be at most {MAX_SCHEMAS_BYTES} bytes as JSON, not {len(as_json)}")
    copied: dict[str, object] = json.loads(as_json)
    encoded(field, json.dumps(copied, ensure_ascii=False))
    return copied


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
