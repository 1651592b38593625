"""The OpenAPI document, generated from the table of routes and their types, and the page that shows it."""

from __future__ import annotations

import importlib.resources
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Route
from webhook_engine.server.api.routes import PREFIX, ROUTES
from webhook_engine.server.errors import HttpError, HttpValidationError
from webhook_engine.version import __version__

__all__ = ["documentation_pages", "openapi_document"]

_REFERENCE = "#/components/schemas/{name}"

_MEANINGS = {
    200: "Success",
    201: "Created",
    202: "Accepted",
    204: "Done",
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "It comes only as the kind of content that its description names",
    408: "The body did not arrive in time",
    409: "Conflict",
    413: "The body is too large",
    415: "The body is compressed",
    422: "Validation error",
    429: "There are too many of these at the moment.",
    500: "Internal error",
    503: "Try again later",
}

_PARTS = {
    "application": "Applications, the consumers",
    "endpoint": "Endpoints, where messages go",
    "destination": "Ordered endpoints, as client libraries call them",
    "alert": "Alerts, by which consumers and the platform hear of endpoints",
    "event-type": "Event types, the kinds of messages",
    "message": "Messages",
    "message-attempt": "Attempts to deliver messages",
    "background-task": "Background tasks",
    "authentication": "Tokens and the consumers' portal",
    "operational-webhook": "Webhooks to the platform itself",
    "operator": "What operators see of all applications",
    "audit-log": "The audit log",
    "statistics": "Usage",
    "environment": "Event types, from one server to another",
    "import": "Coming from elsewhere",
    "health": "Health",
}


def openapi_document(server_url: str) -> Mapping[str, Any]:
    """The document as JSON values; its paths are relative to ``server_url``."""
    types: dict[Any, Mapping[str, Any]] = {}
    wanted = list(dict.fromkeys(_types(ROUTES)))
    schemas, components = msgspec.json.schema_components(wanted, schema_hook=_anything, ref_template=_REFERENCE)
    types.update(zip(wanted, schemas, strict=True))
    for body in {route.body_type for route in ROUTES}:
        if body.ALSO_REQUIRED:
            components[body.__name__]["required"] += body.ALSO_REQUIRED
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, types)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Webhook Engine",
            "version": __version__,
            "description": "Sends webhooks: the API that official Svix client libraries drive unchanged.",
        },
        "servers": [{"url": server_url}],
        "tags": [{"name": name, "description": text} for name, text in _PARTS.items()],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _anything(kind: type) -> dict[str, Any]:
    """The schema of a value that may be any JSON."""
    if kind is object:
        return {}
    raise NotImplementedError


def documentation_pages(public_url: str) -> Mapping[str, Any]:
    """The pages ``/docs`` and ``/``, which redirects there, by the first segment of their paths."""
    files = importlib.resources.files("webhook_engine.server") / "static"
    texts = {name: (files / name).read_text("utf-8") for name in ("docs.html", "docs.js", "docs.css")}
    kinds = {"docs.html": "text/html", "docs.js": "text/javascript", "docs.css": "text/css"}

    async def docs(request: web.BaseRequest, rest: Sequence[str]) -> web.StreamResponse:
        name = "docs.html" if not rest else rest[0]
        if len(rest) > 1 or name not in texts:
            raise web.HTTPNotFound
        return web.Response(
            text=texts[name],
            content_type=kinds[name],
            charset="utf-8",
            headers={
                "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src *; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "x-content-type-options": "nosniff",
                "referrer-policy": "no-referrer",
            },
        )

    async def root(_request: web.BaseRequest, _rest: Sequence[str]) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": f"{public_url}/docs"})

    return {"docs": docs, "": root}


def _types(routes: Sequence[Route[Any, Any]]) -> list[Any]:
    found: list[Any] = [HttpError, HttpValidationError]
    for route in routes:
        if route.reads_body:
            found.append(route.body_type)
        found += [body for body in route.responses.values() if body is not None]
        if route.query_type is not NoQuery:
            found += [field.type for field in msgspec.structs.fields(route.query_type)]
    return found


def _operation(route: Route[Any, Any], types: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"v1.{route.operation}",
        "summary": route.summary,
        "description": inspect.cleandoc(route.handler.__doc__ or route.summary),
        "tags": [route.operation.partition(".")[0]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
        ]
        + [_parameter(field, types) for field in msgspec.structs.fields(route.query_type)],
        "responses": _responses(route, types),
    }
    if route.method == "POST" and route.auth is not Auth.NONE:
        operation["parameters"].append(
            {"name": "idempotency-key", "in": "header", "required": False, "schema": {"type": "string"}}
        )
    if route.reads_body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": types[route.body_type]}},
        }
    if route.auth is Auth.NONE:
        operation["security"] = []
    if route.deprecated:
        operation["deprecated"] = True
    return operation


def _parameter(field: Any, types: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    schema = dict(types[field.type])
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:  # a query string has no null: a parameter is omitted instead
        schema = dict(choices[0])
    if not field.required and field.default is not None:
        schema["default"] = msgspec.to_builtins(field.default)
    parameter = {"name": field.name, "in": "query", "required": field.required, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter


def _responses(route: Route[Any, Any], types: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, body in route.responses.items():
        responses[str(status)] = _response(status, None if body is None else types[body])
    failures = {500: {"type": "object"}, 503: types[HttpError], **dict.fromkeys(route.fails, types[HttpError])}
    if route.method != "GET":
        failures |= dict.fromkeys((400, 408, 413, 415), types[HttpError])
    if route.reads_body or route.query_type is not NoQuery:
        failures |= {400: types[HttpError], 422: types[HttpValidationError]}
    if route.auth is not Auth.NONE:
        failures |= dict.fromkeys((400, 401, 403, 409), types[HttpError])
    if route.parameters or route.auth is not Auth.NONE:
        failures |= {404: types[HttpError], 422: types[HttpValidationError]}
    for status, schema in sorted(failures.items()):
        responses.setdefault(str(status), _response(status, schema))
    return responses


def _response(status: int, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANINGS[status]}
    if schema is not None:
        described["content"] = {"application/json": {"schema": schema}}
    return described
