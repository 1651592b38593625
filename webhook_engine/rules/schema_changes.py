"""Which changes of a JSON Schema break the consumers who read such payloads. Pure.

A consumer may rely on a field that was always there, and on its type. So a field that is gone or may be missing now is
such a change, and so is a value that may be of another type than before. What is new does not break anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["breaking_changes"]

DEEPEST = 50
"""Levels that are compared; a schema may refer to itself."""

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def breaking_changes(before: object, after: object) -> list[str]:
    """What of it breaks consumers, a line each with the path of the field; empty if nothing does."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    return list(dict.fromkeys(_compare("", before, after, before, after, DEEPEST)))


def _compare(
    path: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    old_root: Mapping[str, object],
    new_root: Mapping[str, object],
    depth: int,
) -> Iterator[str]:
    old, new = _resolved(before, old_root), _resolved(after, new_root)
    if depth == 0:
        return
    here = path or "the payload itself"
    was, may_be = _types(old, old_root), _types(new, new_root)
    if strange := may_be - was:
        yield f"{here}: was {_words(was)}, and may be {_words(strange)} now"
        return
    had, has = _members(old, old_root), _members(new, new_root)
    required = _required(new)
    for name in _required(old):
        if name not in required:
            inner = f"{path}.{name}" if path else name
            yield f"{inner}: was always there, and {'may be missing' if name in has else 'is gone'} now"
    for name in had:
        if name in has:
            inner = f"{path}.{name}" if path else name
            yield from _compare(inner, had[name], has[name], old_root, new_root, depth - 1)
    items, new_items = old.get("items"), new.get("items")
    if isinstance(items, Mapping) and isinstance(new_items, Mapping):
        yield from _compare(f"{path}[]", items, new_items, old_root, new_root, depth - 1)


def _resolved(schema: Mapping[str, object], root: Mapping[str, object]) -> Mapping[str, object]:
    """What a schema refers to within its document."""
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


def _choices(schema: Mapping[str, object]) -> list[Mapping[str, object]]:
    options = [schema.get(key) for key in ("anyOf", "oneOf")]
    return [choice for some in options if isinstance(some, list) for choice in some if isinstance(choice, Mapping)]


def _types(schema: Mapping[str, object], root: Mapping[str, object]) -> set[str]:
    """The types that a value may have; all of them where nothing is said. An integer is a number too."""
    said = schema.get("type")
    if isinstance(said, str | list):
        found = {said} if isinstance(said, str) else set(said)
    elif choices := _choices(schema):
        found = set().union(*(_types(_resolved(choice, root), root) for choice in choices))
    elif isinstance(values := schema.get("enum", [schema["const"]] if "const" in schema else None), list):
        found = {_type_of(value) for value in values}
    else:
        found = set(_TYPES)
    return found | {"integer"} if "number" in found else found


def _type_of(value: object) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"


def _members(schema: Mapping[str, object], root: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    own = schema.get("properties")
    members = {name: one for name, one in own.items() if isinstance(one, Mapping)} if isinstance(own, Mapping) else {}
    for choice in _choices(schema):
        members = {**_members(_resolved(choice, root), root), **members} if "$ref" not in choice else members
    return members


def _required(schema: Mapping[str, object]) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _words(types: set[str]) -> str:
    shown = [name for name in _TYPES if name in types and not (name == "integer" and "number" in types)]
    return "anything" if len(shown) == len(_TYPES) - 1 else " or ".join(shown) or "nothing"
