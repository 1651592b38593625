"""Importing is done beside the event loop, and ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from api_clients import Client
from svix.api import SvixAsync
from svix.models import (
    EventTypeImportOpenApiIn,
    EventTypeIn,
)

from webhook_engine.server.api import openapi_import
from webhook_engine.server.listener import Server


async def test_the_work_ends_when_the_client_has_left(
    server: Server, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = threading.Event(), threading.Event()

    def endless(document: Any, *, go_on: Callable[[], None]) -> Any:
        began.set()
        pause = threading.Event()
        try:
            while True:
                go_on()
                pause.wait(0.005)
        finally:
            ended.set()

    monkeypatch.setattr(openapi_import, "imported_event_types", endless)
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"spec": {"webhooks": {}}})
    writer.write(
        f"POST /api/v1/event-type/import/openapi HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    assert await asyncio.to_thread(began.wait, 10)
    assert (await api.get("/health")).status == 200
    assert not ended.is_set()
    writer.close()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_plain_text_of_yaml_stays_text(api: Client) -> None:
    spec = "webhooks:\n  a.b:\n    post:\n      description: 1:30\n      summary: no\n"
    tried = await api.post("/event-type/import/openapi", {"specRaw": spec, "dryRun": True})
    assert tried.json["data"]["to_modify"][0]["description"] == "1:30"


async def test_what_is_too_large_is_refused(api: Client) -> None:
    big = {"properties": {f"p{number}": {"type": "string"} for number in range(20_000)}}
    schema = {"$ref": "#/components/schemas/Big"}
    post = {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
    spec = {"webhooks": {f"e{number}": post for number in range(1000)}, "components": {"schemas": {"Big": big}}}
    answer = await api.post("/event-type/import/openapi", {"spec": spec})
    assert answer.status == 422
    assert "must not need more than 8 MiB" in answer.text.lower().replace("mib", "MiB")


SPEC = """
openapi: 3.1.0
webhooks:
  user.signup:
    post:
      description: Somebody signed up
      x-svix-group-name: user
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Signup"}
            example: {user: {name: Ann}}
  user.deleted:
    post: {summary: Somebody left, deprecated: true}
components:
  schemas:
    Signup: {type: object, properties: {user: {$ref: "#/components/schemas/User"}}}
    User: {type: object, properties: {friend: {$ref: "#/components/schemas/User"}}}
    Unused: {type: string}
"""


async def test_event_types_are_imported_from_an_openapi_document(svix: SvixAsync) -> None:
    await svix.event_type.create(EventTypeIn(name="old", description=""))
    tried = (await svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec_raw=SPEC, dry_run=True))).data
    assert tried.modified == []
    assert [(each.name, each.deprecated) for each in tried.to_modify or ()] == [
        ("user.signup", False),
        ("user.deleted", True),
    ]
    assert [each.name for each in (await svix.event_type.list()).data] == ["old"]
    done = (await svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec_raw=SPEC, replace_all=True))).data
    assert done.modified == ["user.signup", "user.deleted", "old"]
    assert [each.name for each in (await svix.event_type.list()).data] == ["user.deleted", "user.signup"]
    signup = await svix.event_type.get("user.signup")
    assert (signup.description, signup.group_name) == ("Somebody signed up", "user")
    schema = (signup.schemas or {})["1"]
    assert schema["examples"] == [{"user": {"name": "Ann"}}]
    assert schema["allOf"] == [{"$ref": "#/definitions/Signup"}]
    assert sorted(schema["definitions"]) == ["Signup", "User"]
    again = EventTypeImportOpenApiIn(spec={"x-webhooks": {"user.deleted": {"post": {"description": "Gone"}}}})
    assert (await svix.event_type.import_openapi(again)).data.modified == ["user.deleted"]
    assert (await svix.event_type.get("user.deleted")).description == "Gone"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"spec": {}, "specRaw": "{}"}, 400),
        ({"spec": {}}, 422),
        ({"specRaw": "a: [b"}, 422),
        ({"specRaw": "a: &x [1]\nb: [*x, *x]"}, 422),
        ({"specRaw": "[" * 5000}, 422),
        ({"specRaw": "a: !!python/object:os.system {}"}, 422),
        ({"spec": {"webhooks": {"no good": {"post": {}}}}}, 422),
        ({"spec": {"webhooks": {"a": {}}}}, 422),
    ],
)
async def test_documents_that_cannot_be_imported_are_refused(api: Client, body: object, status: int) -> None:
    answer = await api.post("/event-type/import/openapi", body)
    assert answer.status == status, answer.text
