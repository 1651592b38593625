"""The OpenAPI document says what the server does."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import schemathesis
from api_clients import Client
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from webhook_engine.server.api.openapi import openapi_document
from webhook_engine.server.api.routes import PREFIX, ROUTES

REAL = {"app_id": "acme", "endpoint_id": "e", "event_type_name": "a"}
"""What there is, for paths that lead somewhere."""


def test_every_route_is_in_it_once() -> None:
    document = openapi_document("http://localhost")
    declared = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert declared == {(PREFIX + route.path, route.method.lower()) for route in ROUTES}
    ids = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(ids) == len(set(ids))


async def test_the_page_needs_nothing_from_elsewhere(api: Client) -> None:
    anybody = api.with_token(None)
    page = await anybody.get("//root/docs")
    assert page.status == 200
    files = re.findall(r'(?:src|href)="([^"#]+\.(?:js|css))"', page.text)
    assert files == ["docs/docs.css", "docs/docs.js"]
    for name in files:
        file = await anybody.get(f"//root/{name}")
        assert (file.status, "http://" in file.text, "https://" in file.text) == (200, False, False)
    root = await anybody.get("//root/")
    assert (root.status, root.headers["location"]) == (307, f"{api.url}/docs")


@pytest.mark.slow
async def test_answers_are_as_described(acme: Client) -> None:
    """Schemathesis asks for everything in the document, with good and bad values."""
    await acme.post("/event-type", {"name": "a", "description": ""})
    await acme.post("/app/acme/endpoint", {"url": "http://127.0.0.1:1/", "uid": "e"})
    await asyncio.to_thread(_ask_for_everything, acme.url, str(acme.token))


def _ask_for_everything(url: str, token: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")

    for found in schema.get_all_operations():
        _ask(found.ok(), {"authorization": f"Bearer {token}"})


def _ask(operation: Any, headers: dict[str, str]) -> None:
    checks = [not_a_server_error, response_schema_conformance, status_code_conformance]

    @settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        if case.path_parameters and operation.method != "delete":
            case.path_parameters |= {name: REAL[name] for name in case.path_parameters if name in REAL}
        case.call_and_validate(headers=headers, checks=checks)

    ask()


def test_every_route_is_in_a_part_that_the_page_shows_and_every_status_has_a_meaning() -> None:
    document = openapi_document("https://example.com")
    parts = {tag["name"] for tag in document["tags"]}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert set(operation["tags"]) <= parts
            assert all(each.get("description") for each in operation["responses"].values())
