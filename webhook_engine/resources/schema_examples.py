"""An example made from a JSON Schema, for an event type whose schema has none of its own. Pure.

It is the simplest value that the schema seems to allow: one given in the schema (``const``, ``default``, the first of
``examples`` or ``enum``), otherwise one by type, format and bounds. It is validated against the schema afterwards,
since not every constraint can be met by guessing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import ceil, inf
from typing import Any, Final, NoReturn

__all__ = ["NoExampleError", "example_from"]

DEEPEST: Final = 12
"""Depth from which on only required members are made, so that a recursive schema ends."""
MAX_DEPTH: Final = 40
MAX_STEPS: Final = 5_000
"""Schemas visited at most: a schema that refers to itself twice doubles the number with each level."""
MAX_SIZE: Final = 1024 * 1024
"""Characters of all values taken from the schema and of all strings together."""
LONGEST: Final = 10_000
"""Characters of one string."""

TOO_MUCH: Final = "it asks for more than an example should hold"

_FORMATS: Final[Mapping[str, str]] = {
    "date-time": "2030-01-31T12:00:00Z",
    "date": "2030-01-31",
    "time": "12:00:00Z",
    "email": "user@example.com",
    "idn-email": "user@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "https://example.com/",
    "iri": "https://example.com/",
    "iri-reference": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/a",
    "regex": ".*",
}
_DRAFT_7: Final = "http://json-schema.org/draft-07/schema#"


class NoExampleError(ValueError):
    """No example could be made; the text says why."""


def example_from(schema: Mapping[str, Any]) -> object:
    """A value that the schema allows; raises :class:`NoExampleError`."""
    import jsonschema_rs  # noqa: PLC0415 (large, and needed only for schemas)

    try:
        value = _Maker(schema).value(schema, 0)
        jsonschema_rs.Draft7Validator({**schema, "$schema": _DRAFT_7}, retriever=_fetch_nothing).validate(value)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path))
        raise NoExampleError(f"what was made from it is not allowed by it, at {place or 'the root'}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise NoExampleError(str(error)[:200]) from None
    return value


class _Maker:
    """Makes values for one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._steps_left = MAX_STEPS
        self._size_left = MAX_SIZE

    def value(self, schema: object, depth: int) -> object:
        """The example of a schema; raises :class:`NoExampleError`."""
        self._spend_step()
        if depth > MAX_DEPTH:
            raise NoExampleError(TOO_MUCH)
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            raise NoExampleError("it allows nothing in some place")
        if "$ref" in schema:
            return self.value(self._target(schema["$ref"]), depth + 1)
        for name in ("const", "default", "example"):
            if name in schema:
                return self._named(schema[name])
        for name in ("examples", "enum"):
            named = schema.get(name)
            if isinstance(named, list) and named:
                return self._named(named[0])
        return self._of_type(self._merged(schema, depth), depth)

    def _named(self, value: object) -> object:
        """Count a value given in the schema, or a string: it may be large, and used many times."""
        self._size_left -= len(value) if isinstance(value, str) else len(json.dumps(value, default=str))
        if self._size_left < 0:
            raise NoExampleError(TOO_MUCH)
        return value

    def _spend_step(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise NoExampleError(TOO_MUCH)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> object:
        kind = _type(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string":
            return self._named(_string(schema))
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        return True if kind == "boolean" else None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, object]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = [name for name in _listed(schema, "required") if isinstance(name, str)]
        wanted = required if depth >= DEEPEST else dict.fromkeys([*properties, *required])
        made: dict[str, object] = {}
        for name in wanted:
            if properties.get(name) is False:
                continue
            made[name] = self.value(properties.get(name, True), depth + 1)
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[object]:
        items = schema.get("items", True)
        least = schema.get("minItems", 0)
        if isinstance(items, list):
            return [self.value(item, depth + 1) for item in items]
        if (depth >= DEEPEST and not least) or schema.get("maxItems") == 0 or items is False:
            return []
        return [self.value(items, depth + 1) for _ in range(max(1, least))]

    def _merged(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema merged with its ``allOf`` and the first of its alternatives."""
        parts = [*_listed(schema, "allOf")]
        for name in ("oneOf", "anyOf"):
            choices = [choice for choice in _listed(schema, name) if choice is not False]
            # Null is a poor example.
            parts += sorted(choices, key=_only_null)[:1]
        if not parts:
            return schema
        merged: dict[str, Any] = dict(schema)
        for name in ("allOf", "oneOf", "anyOf"):
            merged.pop(name, None)
        for part in parts:
            for key, value in self._resolved(part, depth).items():
                merged[key] = _joined(key, merged[key], value) if key in merged else value
        return merged

    def _resolved(self, part: object, depth: int) -> Mapping[str, Any]:
        for _ in range(MAX_DEPTH):
            self._spend_step()
            if not isinstance(part, Mapping):
                return {}
            if "$ref" not in part:
                return self._merged(part, depth + 1) if depth < MAX_DEPTH else part
            part = self._target(part["$ref"])
        raise NoExampleError("its references go round in a circle")

    def _target(self, pointer: object) -> object:
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            raise NoExampleError("it refers to another document")
        found: object = self._root
        for step in pointer.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise NoExampleError(f"it refers to {pointer[:80]}, which is not there")
        return found


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema:
        return "array"
    if "pattern" in schema or "format" in schema or "minLength" in schema:
        return "string"
    return "number" if "minimum" in schema or "maximum" in schema else "object"


def _string(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "string")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if least > LONGEST:
        raise NoExampleError(TOO_MUCH)
    text = text.ljust(int(least), "x")
    return text if most is None else text[: int(most)]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf", 1 if whole else None)
    low, high = schema.get("minimum", -inf), schema.get("maximum", inf)
    above, below = schema.get("exclusiveMinimum", -inf), schema.get("exclusiveMaximum", inf)
    lowest, highest = max(low, above + (step or 1)), min(high, below - (step or 1))
    if lowest > highest and not step:  # the bounds are closer together than a step of one
        return float(max(low, above) + min(high, below)) / 2
    found: int | float = min(max(1, lowest), highest)
    if step:
        found = ceil(found / step) * step
        if found > highest:
            found -= step
    return int(found) if whole else found


def _joined(key: str, one: Any, other: Any) -> Any:
    """Merge two constraints that both hold, as far as that is simple."""
    if key == "properties" and isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **other}
    if key == "required" and isinstance(one, list) and isinstance(other, list):
        return list(dict.fromkeys([*one, *other]))
    if key in ("minimum", "minLength", "minItems", "exclusiveMinimum"):
        return max(one, other)
    if key in ("maximum", "maxLength", "maxItems", "exclusiveMaximum"):
        return min(one, other)
    return one


def _listed(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
    found = schema.get(name)
    return iter(found) if isinstance(found, list) else iter(())


def _only_null(choice: object) -> bool:
    return isinstance(choice, Mapping) and (
        choice.get("type") == "null" or ("const" in choice and choice["const"] is None)
    )


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"it refers to another document, {uri[:80]}")
