"""The catalogue of event types for consumers: an OpenAPI 3.1 document of webhooks, and an HTML page. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from html import escape
from itertools import islice
from typing import Any, Protocol

from webhook_engine.resources.examples import examples_in
from webhook_engine.resources.schema_examples import NoExampleError
from webhook_engine.rules.schema_references import resolved

__all__ = ["CataloguedEventType", "catalogue_page", "openapi_document"]

MOST_FIELDS = 500
"""Fields shown of one event type; a bound, since a schema may refer to itself."""
MOST_CHOICES = 10


class CataloguedEventType(Protocol):
    """An event type as consumers are shown it."""

    @property
    def name(self) -> str:
        """Such as ``invoice.paid``."""
        ...

    @property
    def description(self) -> str:
        """What it means."""
        ...

    @property
    def deprecated(self) -> bool:
        """Whether consumers should stop using it."""
        ...

    @property
    def group_name(self) -> str | None:
        """The heading that it is listed under."""
        ...

    @property
    def schemas(self) -> Mapping[str, Any] | None:
        """Its JSON Schemas, by version."""
        ...


def openapi_document(event_types: Iterable[CataloguedEventType], title: str, version: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document with a webhook for each event type, with the schema of its newest version.

    Importing this document gives the same event types.
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "webhooks": {one.name: {"post": _operation(one)} for one in event_types},
    }


def catalogue_page(event_types: Sequence[CataloguedEventType], title: str) -> str:
    """A self-contained HTML page: every event type with its fields and an example, by heading."""
    by_group: dict[str, list[CataloguedEventType]] = {}
    for one in event_types:
        by_group.setdefault(one.group_name or "", []).append(one)
    body = [f"<h1>{escape(title)}</h1>", "<nav><ul>"]
    body += [f'<li><a href="#{escape(one.name)}">{escape(one.name)}</a></li>' for one in event_types]
    body.append("</ul></nav>")
    for group in sorted(by_group):
        if group:
            body.append(f"<h2>{escape(group)}</h2>")
        body += [_section(one) for one in by_group[group]]
    return _PAGE.format(title=escape(title), body="\n".join(body))


def _newest(one: CataloguedEventType) -> Mapping[str, Any] | None:
    schemas = one.schemas or {}
    versions = sorted(schemas, key=lambda version: (len(version), version))
    schema = schemas[versions[-1]] if versions else None
    return schema if isinstance(schema, Mapping) else None


def _operation(one: CataloguedEventType) -> dict[str, Any]:
    operation: dict[str, Any] = {"description": one.description} if one.description else {}
    if one.deprecated:
        operation["deprecated"] = True
    if one.group_name:
        operation["x-group-name"] = one.group_name
    schema = _newest(one)
    if schema is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": dict(schema)}}}
    operation["responses"] = {"2XX": {"description": "The message was received."}}
    return operation


def _section(one: CataloguedEventType) -> str:
    schema = _newest(one) or {}
    mark = " <small>deprecated</small>" if one.deprecated else ""
    parts = [f'<section id="{escape(one.name)}"><h3>{escape(one.name)}{mark}</h3>']
    if one.description:
        parts.append(f"<p>{escape(one.description)}</p>")
    if rows := list(islice(_rows(schema, schema, ""), MOST_FIELDS)):
        parts.append(
            "<table><thead><tr><th>field</th><th>type</th><th>always there</th><th>what it is</th></tr></thead>"
        )
        parts += [f"<tbody>{''.join(rows)}</tbody></table>"]
    with suppress(NoExampleError):
        parts += [
            f"<pre>{escape(json.dumps(one, indent=2, ensure_ascii=False))}</pre>" for one in examples_in(schema)[:1]
        ]
    parts.append("</section>")
    return "\n".join(parts)


def _rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: str, depth: int = 6) -> Iterable[str]:
    whole = resolved(schema, root)
    properties, named = whole.get("properties"), whole.get("required")
    if not isinstance(properties, Mapping) or depth == 0:
        return
    required = named if isinstance(named, Sequence) else ()
    for name, value in properties.items():
        inner = resolved(value, root) if isinstance(value, Mapping) else {}
        here = f"{path}{name}"
        yield (
            f"<tr><td><code>{escape(here)}</code></td><td>{escape(_kind(inner, root))}</td>"
            f"<td>{'yes' if name in required else 'no'}</td>"
            f"<td>{escape(str(inner.get('description', value.get('description', '') if value else '')))}</td></tr>"
        )
        yield from _rows(inner, root, f"{here}.", depth - 1)
        items = inner.get("items")
        if isinstance(items, Mapping):
            yield from _rows(items, root, f"{here}[].", depth - 1)


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 4) -> str:
    if depth == 0:
        return "…"
    if isinstance(values := schema.get("enum"), Sequence):
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
    for key in ("anyOf", "oneOf"):
        if isinstance(choices := schema.get(key), Sequence):
            return " | ".join(
                _kind(resolved(one, root), root, depth - 1)
                for one in choices[:MOST_CHOICES]
                if isinstance(one, Mapping)
            )
    kind = schema.get("type", "any")
    words = " | ".join(map(str, kind)) if isinstance(kind, Sequence) and not isinstance(kind, str) else str(kind)
    if words == "array" and isinstance(items := schema.get("items"), Mapping):
        return f"array of {_kind(resolved(items, root), root, depth - 1)}"
    return f"{words} ({schema['format']})" if "format" in schema else words


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8886; vertical-align: top; }}
pre {{ padding: 1rem; overflow-x: auto; border: 1px solid #8886; border-radius: .5rem; }}
small {{ font-weight: normal; }}
</style></head>
<body>
{body}
</body></html>
"""
