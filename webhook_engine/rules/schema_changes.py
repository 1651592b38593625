"""Detects changes of a JSON Schema that break consumers of such payloads. Pure.

A consumer may rely on a field that was always present, and on its type. So a change is breaking if a field is removed
or becomes optional, or if a value may have another type than before. Additions do not break anyone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook_engine.rules.schema_references import DEEPEST, resolved

__all__ = ["breaking_changes"]

_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def breaking_changes(before: object, after: object) -> list[str]:
    """The breaking changes, one line each with the path of the field; empty if there are none."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    return list(dict.fromkeys(_Comparison(before, after).problems("", before, after, DEEPEST)))


class _Comparison:
    """Compares two schemas part by part; each pair of parts once, since a schema may refer to itself."""

    def __init__(self, old_root: Mapping[str, object], new_root: Mapping[str, object]) -> None:
        self._old_root = old_root
        self._new_root = new_root
        self._seen: set[tuple[int, int]] = set()

    def problems(
        self, path: str, before: Mapping[str, object], after: Mapping[str, object], depth: int
    ) -> Iterator[str]:
        """The breaking changes of these parts, and below them."""
        old, new = resolved(before, self._old_root), resolved(after, self._new_root)
        pair = (id(old), id(new))
        if depth == 0 or pair in self._seen:
            return
        self._seen.add(pair)
        was, may_be = _types(old, self._old_root, set()), _types(new, self._new_root, set())
        if strange := may_be - was:
            yield f"{path or 'the payload itself'}: was {_words(was)}, and may be {_words(strange)} now"
            return
        had, has = _members(old, self._old_root), _members(new, self._new_root)
        required = _required(new)
        for name in _required(old):
            if name not in required:
                now = "may be missing" if name in has else "is gone"
                yield f"{_below(path, name)}: was always there, and {now} now"
        for name in had:
            if name in has:
                yield from self.problems(_below(path, name), had[name], has[name], depth - 1)
        items, new_items = old.get("items"), new.get("items")
        if isinstance(items, Mapping) and isinstance(new_items, Mapping):
            yield from self.problems(f"{path}[]", items, new_items, depth - 1)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _choices(schema: Mapping[str, object]) -> list[Mapping[str, object]]:
    options = [schema.get(key) for key in ("anyOf", "oneOf")]
    return [choice for some in options if isinstance(some, list) for choice in some if isinstance(choice, Mapping)]


def _types(schema: Mapping[str, object], root: Mapping[str, object], seen: set[int]) -> set[str]:
    """The types that a value may have; all of them if the schema names none. An integer is a number too."""
    if id(schema) in seen:
        return set()
    seen.add(id(schema))
    said = schema.get("type")
    if isinstance(said, str | list):
        found = {said} if isinstance(said, str) else set(said)
    elif choices := _choices(schema):
        found = set().union(*(_types(resolved(choice, root), root, seen) for choice in choices))
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
        members = {**_members(resolved(choice, root), root), **members} if "$ref" not in choice else members
    return members


def _required(schema: Mapping[str, object]) -> list[str]:
    required = schema.get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _words(types: set[str]) -> str:
    shown = [name for name in _TYPES if name in types and not (name == "integer" and "number" in types)]
    return "anything" if len(shown) == len(_TYPES) - 1 else " or ".join(shown) or "nothing"
