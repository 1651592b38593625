"""Validation of the JSON Schemas of event types, as draft 7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from webhook_engine.errors import ValidationError
from webhook_engine.rules import documents

__all__ = ["checked", "fault", "is_shallow"]

_DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_LONGEST = 300
_DEEPEST = 200
"""How deep a schema may be nested; the validator is recursive, and has no bound of its own."""


def checked(field: str, value: object) -> dict[str, object] | None:
    """JSON Schemas by version, or ``None``; raises ``ValidationError`` that names the version."""
    schemas = documents.schemas(field, value)
    for version, schema in (schemas or {}).items():
        if isinstance(schema, Mapping) and (problem := fault(schema)):
            raise ValidationError(f'{field}["{version}"]', f"must be a JSON Schema of draft 7: {problem}")
    return schemas


def fault(schema: Mapping[str, object]) -> str | None:
    """What is wrong with a schema, and where in it; ``None`` for one that is valid.

    Keywords of newer drafts are ignored, as draft 7 ignores unknown keywords. References are never fetched.
    """
    import jsonschema_rs  # noqa: PLC0415 (large, and needed only for schemas)

    if not is_shallow(schema, _DEEPEST):
        return f"it is nested deeper than {_DEEPEST} levels"
    try:
        jsonschema_rs.meta.validate({**schema, "$schema": _DRAFT_7})
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path))
        problem = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
        return f"at {place}: {problem}" if place else problem
    except ValueError as error:
        return str(error)[:_LONGEST]
    return None


def is_shallow(value: object, deepest: int) -> bool:
    """Whether mappings and lists are nested at most ``deepest`` levels deep."""
    level: list[object] = [value]
    for _ in range(deepest):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()
