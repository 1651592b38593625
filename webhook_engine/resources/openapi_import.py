"""Event types out of an OpenAPI document: each of its ``webhooks`` (or ``x-webhooks``) is one. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from webhook_engine.errors import ValidationError
from webhook_engine.rules import documents, names, values

__all__ = ["ImportedEventType", "imported_event_types"]

MAX_EVENT_TYPES = 1000
METHODS = ("post", "put", "patch", "get", "delete")
COMPONENTS = "#/components/schemas/"
DEFINITIONS = "#/definitions/"


class ImportedEventType(msgspec.Struct, frozen=True, kw_only=True):
    """An event type as the document describes it."""

    name: str
    description: str
    schemas: Mapping[str, Any] | None
    deprecated: bool
    group_name: str | None
    feature_flags: tuple[str, ...]


def imported_event_types(document: Mapping[str, Any]) -> list[ImportedEventType]:
    """The event types of a document, in its order.

    The schema of each is that of its JSON body, on its own: the components that it refers to come along as its
    ``definitions``. Raises ``ValidationError`` for what is no OpenAPI document with webhooks.
    """
    webhooks = document.get("webhooks", document.get("x-webhooks"))
    if not isinstance(webhooks, dict):
        raise ValidationError("spec", "must have `webhooks` (OpenAPI 3.1) or `x-webhooks`, an object")
    if len(webhooks) > MAX_EVENT_TYPES:
        raise ValidationError("spec", f"must have at most {MAX_EVENT_TYPES} webhooks")
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    return [_imported(name, item, schemas if isinstance(schemas, dict) else {}) for name, item in webhooks.items()]


def _imported(name: str, item: object, components: Mapping[str, Any]) -> ImportedEventType:
    names.name("spec", name)
    operation = _operation(name, item)
    text = operation.get("description") or operation.get("summary") or ""
    group = operation.get("x-svix-group-name", operation.get("x-group-name"))
    flags = operation.get("x-svix-feature-flags", operation.get("x-feature-flags", []))
    schema = _schema(operation)
    return ImportedEventType(
        name=name,
        description=values.text("spec", str(text), most=4096),
        schemas=None if schema is None else documents.schemas("spec", {"1": _alone(schema, components)}),
        deprecated=operation.get("deprecated") is True,
        group_name=names.optional_name("spec", group),
        feature_flags=names.names("spec", flags, 25),
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


def _alone(schema: dict[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with all that it refers to, however far."""
    schema = copy.deepcopy(schema)
    definitions: dict[str, Any] = {}
    waiting = list(_pointed(schema))
    while waiting:
        name = waiting.pop()
        if name in definitions:
            continue
        if name not in components:
            raise ValidationError("spec", f"refers to {COMPONENTS}{name}, which is not there")
        definitions[name] = copy.deepcopy(components[name])
        waiting.extend(_pointed(definitions[name]))
    if not definitions:
        return schema
    if "$ref" in schema:
        # Beside a reference draft-07 ignores everything, the definitions and the examples too.
        schema = {"allOf": [{"$ref": schema.pop("$ref")}], **schema}
    return {**schema, "definitions": {**definitions, **_get(schema, "definitions")}}


def _pointed(value: object) -> Iterator[str]:
    """The names of the components referred to; the references are made to point to the definitions."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            pointer = node.get("$ref")
            if isinstance(pointer, str) and pointer.startswith(COMPONENTS):
                name = pointer.removeprefix(COMPONENTS)
                node["$ref"] = DEFINITIONS + name
                yield name.partition("/")[0]
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
