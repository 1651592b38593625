"""Resolves ``$ref`` in a part of a JSON Schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DEEPEST", "resolved"]

DEEPEST = 50
"""The most references to follow in a row; a schema may refer to itself."""


def resolved(schema: Mapping[str, object], root: Mapping[str, object]) -> Mapping[str, object]:
    """The target of a part's references within its document; empty if they lead nowhere."""
    for _ in range(DEEPEST):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: object = root
        for step in reference.removeprefix("#/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return {}
        schema = found
    return {}
