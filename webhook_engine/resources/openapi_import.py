"""Event types from an OpenAPI document: each of its ``webhooks`` (or ``x-webhooks``) is one. Pure.

Each event type gets its schema with copies of the components that it refers to, so a small document may expand to a
very large result. The size is computed first, and nothing is copied before it is known to be within the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from webhook_engine.errors import ValidationError
from webhook_engine.resources.json_schema import is_shallow
from webhook_engine.rules import documents, names, values

__all__ = ["OpenApiEventType", "imported_event_types"]

MAX_EVENT_TYPES = 1000
MAX_DEPTH: Final = 200
"""Levels of nesting of the document."""
MAX_EXPANDED: Final = 8 * 1024 * 1024
"""Bytes of all schemas together, each with the components that it refers to."""
METHODS = ("post", "put", "patch", "get", "delete")
COMPONENTS = "#/components/schemas/"
DEFINITIONS = "#/definitions/"


class OpenApiEventType(msgspec.Struct, frozen=True, kw_only=True):
    """An event type as the document describes it."""

    name: str
    description: str
    schemas: Mapping[str, Any] | None
    deprecated: bool
    group_name: str | None
    feature_flags: tuple[str, ...]


def imported_event_types(
    document: Mapping[str, Any], *, go_on: Callable[[], None] = lambda: None
) -> list[OpenApiEventType]:
    """The event types of a document, in its order.

    The schema of each is that of its JSON body, self-contained: the components that it refers to are in its
    ``definitions``. ``go_on`` is called before each, and may raise to stop.
    Raises ``ValidationError`` if this is no OpenAPI document with webhooks, or would become too large.
    """
    if not is_shallow(document, MAX_DEPTH):
        raise ValidationError("spec", f"must be nested at most {MAX_DEPTH} levels deep")
    webhooks = document.get("webhooks", document.get("x-webhooks"))
    if not isinstance(webhooks, dict):
        raise ValidationError("spec", "must have `webhooks` (OpenAPI 3.1) or `x-webhooks`, an object")
    if len(webhooks) > MAX_EVENT_TYPES:
        raise ValidationError("spec", f"must have at most {MAX_EVENT_TYPES} webhooks")
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    expansion = _Expansion(schemas if isinstance(schemas, dict) else {})
    planned = []
    for name, item in webhooks.items():
        go_on()
        operation = _operation(names.name("spec", name), item)
        schema = _schema(operation)
        planned.append((name, operation, None if schema is None else expansion.planned(schema)))
    found = []
    for name, operation, plan in planned:
        go_on()
        found.append(_imported(name, operation, None if plan is None else expansion.alone(plan)))
    return found


def _imported(name: str, operation: Mapping[str, Any], schema: dict[str, Any] | None) -> OpenApiEventType:
    text = operation.get("description") or operation.get("summary") or ""
    group = operation.get("x-svix-group-name", operation.get("x-group-name"))
    flags = operation.get("x-svix-feature-flags", operation.get("x-feature-flags", []))
    return OpenApiEventType(
        name=name,
        description=values.event_type_description("spec", str(text)),
        schemas=None if schema is None else documents.schemas("spec", {"1": schema}),
        deprecated=operation.get("deprecated") is True,
        group_name=names.optional_name("spec", group),
        feature_flags=names.feature_flags("spec", flags),
    )


def _operation(name: str, item: object) -> Mapping[str, Any]:
    if isinstance(item, dict):
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                return operation
    raise ValidationError("spec", f"webhook {name!r} must have an operation, such as `post`")


def _schema(operation: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of the JSON body, with the examples given beside it."""
    content = _get(_get(operation, "requestBody"), "content")
    kinds = sorted((key for key in content if "json" in key), key=lambda key: key != "application/json")
    media = _get(content, kinds[0]) if kinds else {}
    schema = _get(media, "schema")
    if not schema:
        return None
    examples = [media["example"]] if "example" in media else []
    examples += [one["value"] for one in _get(media, "examples").values() if isinstance(one, dict) and "value" in one]
    if not examples and "example" in schema:
        examples = [schema["example"]]
    return {**schema, "examples": examples} if examples and "examples" not in schema else dict(schema)


def _get(value: object, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


class _Part(msgspec.Struct, frozen=True):
    """A schema whose references point to definitions."""

    value: Any
    size: int
    """As JSON, in bytes."""
    names: tuple[str, ...]
    """The components that it refers to directly."""


class _Plan(msgspec.Struct, frozen=True):
    """A schema, and the components that it needs."""

    own: _Part
    names: tuple[str, ...]


class _Expansion:
    """Makes schemas self-contained, as long as all of them together stay within the bound."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = components
        self._parts: dict[str, _Part] = {}
        self._left = MAX_EXPANDED

    def planned(self, schema: dict[str, Any]) -> _Plan:
        """The components that a schema needs, directly or not; raises ``ValidationError`` if they are too large."""
        own = _part(schema)
        self._take(own.size)
        needed: dict[str, None] = {}
        waiting = list(own.names)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed[name] = None
                part = self._component(name)
                self._take(part.size + len(name))
                waiting.extend(part.names)
        return _Plan(own, tuple(needed))

    def alone(self, plan: _Plan) -> dict[str, Any]:
        """The schema with the components that it needs."""
        whole: dict[str, Any] = plan.own.value
        if not plan.names:
            return whole
        if "$ref" in whole:
            # Beside a reference draft-07 ignores everything, the definitions and the examples too.
            beside = {key: value for key, value in whole.items() if key != "$ref"}
            whole = {"allOf": [{"$ref": whole["$ref"]}], **beside}
        definitions = {name: self._parts[name].value for name in plan.names}
        return {**whole, "definitions": {**definitions, **_get(whole, "definitions")}}

    def _component(self, name: str) -> _Part:
        if name not in self._parts:
            if name not in self._components:
                raise ValidationError("spec", f"refers to {COMPONENTS}{name}, which is not there")
            self._parts[name] = _part(self._components[name])
        return self._parts[name]

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValidationError(
                "spec",
                f"must not need more than {MAX_EXPANDED // 1024 // 1024} MiB for the schemas of its webhooks, each of "
                "which gets its own copy of every component that it refers to; import it in parts",
            )


def _part(schema: Any) -> _Part:
    found: dict[str, None] = {}
    value = _pointed(schema, found)
    return _Part(value, len(msgspec.json.encode(value)), tuple(found))


def _pointed(value: Any, found: dict[str, None]) -> Any:
    """A copy whose references to components point to definitions; the names of the components are noted."""
    if isinstance(value, list):
        return [_pointed(item, found) for item in value]
    if not isinstance(value, dict):
        return value
    copied = {key: _pointed(item, found) for key, item in value.items()}
    pointer = copied.get("$ref")
    if isinstance(pointer, str) and pointer.startswith(COMPONENTS):
        name = pointer.removeprefix(COMPONENTS)
        copied["$ref"] = DEFINITIONS + name
        found[name.partition("/")[0]] = None
    return copied
