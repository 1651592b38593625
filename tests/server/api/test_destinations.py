"""Destinations of the type ``fifoEndpoint``, through the official client library."""

from __future__ import annotations

import importlib.util
import json

import pytest
from api_clients import Client
from engines import until
from receivers import Receiver
from svix.api import SvixAsync
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (
    ApplicationIn,
    DestinationIn,
    DestinationPatch,
    DestinationTransformIn,
    EndpointIn,
    EndpointSecretRotateIn,
    MessageIn,
)
from svix.webhooks import Webhook


@pytest.fixture
async def app(svix: SvixAsync) -> str:
    return (await svix.application.create(ApplicationIn(name="Acme", uid="acme"))).id


def fifo(url: str, **fields: object) -> DestinationIn:
    config = {"url": url, "headers": {"X-Team": "a"}}
    return DestinationIn.model_validate({"type": "fifoEndpoint", "config": config, **fields})


async def test_a_destination_gets_its_messages_in_order(svix: SvixAsync, app: str) -> None:
    async with Receiver() as receiver:
        await gets_its_messages(svix, app, receiver)


async def gets_its_messages(svix: SvixAsync, app: str, receiver: Receiver) -> None:
    made = await svix.destination.create(app, fifo(receiver.url, uid="main", maxWaitSecs=1, batchSize=3))
    assert (made.uid, made.batch_size, made.max_wait_secs, made.type) == ("main", 3, 1, "fifoEndpoint")
    assert (made.status, made.current_iterator, made.next_retry_at) == ("enabled", "", None)
    assert (made.config.url, made.config.headers.headers) == (receiver.url, {"X-Team": "a"})  # type: ignore[union-attr]
    rotated = await svix.destination.rotate_secret(app, "main", EndpointSecretRotateIn())
    sent = [await svix.message.create(app, MessageIn(event_type="a", payload={"n": number})) for number in range(3)]
    await until(lambda: receiver.requests)
    [request] = receiver.requests
    Webhook(rotated.key).verify(request.body, dict(request.headers))
    body = json.loads(request.body)
    assert [one["id"] for one in body] == [one.id for one in sent]
    assert body[1]["payload"] == {"n": 1}


async def test_a_destination_is_edited(svix: SvixAsync, app: str) -> None:
    url = "http://127.0.0.1:9/"
    made = await svix.destination.create(app, fifo(url, status="disabled", metadata={"a": "b"}))
    assert (made.status, made.batch_size, made.max_wait_secs) == ("disabled", 100, 0)
    patch = {"type": "fifoEndpoint", "config": {"url": f"{url}x"}, "status": "enabled", "batchSize": 5, "channels": []}
    patched = await svix.destination.patch(app, made.id, DestinationPatch.model_validate(patch))
    assert (patched.status, patched.batch_size, patched.metadata) == ("enabled", 5, {"a": "b"})
    assert patched.config.url == f"{url}x"  # type: ignore[union-attr]
    replaced = await svix.destination.upsert(app, made.id, fifo(url, uid="two"))
    assert (replaced.id, replaced.uid, replaced.metadata, replaced.batch_size) == (made.id, "two", {}, 100)
    fresh = await svix.destination.upsert(app, "three", fifo(url, uid="three"))
    await svix.endpoint.create(app, EndpointIn(url=url))
    listed = await svix.destination.list(app)
    assert [one.id for one in listed.data] == [fresh.id, made.id]
    assert (await svix.destination.get(app, "three")).id == fresh.id
    await svix.destination.delete(app, "three")
    with pytest.raises(HttpError):
        await svix.destination.get(app, "three")


async def test_what_is_no_destination(svix: SvixAsync, app: str) -> None:
    endpoint = await svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:9/"))
    with pytest.raises(HttpError):
        await svix.destination.get(app, endpoint.id)
    with pytest.raises(HTTPValidationError):
        await svix.destination.create(
            app, DestinationIn.model_validate({"type": "pollingEndpoint", "config": {"url": "http://a.example"}})
        )
    with pytest.raises(HTTPValidationError):
        await svix.destination.create(app, fifo("ftp://a.example"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/app/acme/destination/main/next-event", "Further routes of destinations of the hosted API"),
        ("/app/acme/stream/sink", "The older name of destinations of the hosted API"),
        ("/app/acme/endpoint/main/oauth", "Routes for OAuth of the hosted API"),
    ],
)
async def test_what_only_the_hosted_api_has_is_refused_by_its_name(api: Client, path: str, said: str) -> None:
    refused = await api.get(path)
    assert (refused.status, refused.json["detail"]) == (404, f"{said}: this server does not have it.")


@pytest.mark.skipif(importlib.util.find_spec("quickjs") is None, reason="the extra is not installed")
@pytest.mark.parametrize("settings", [{"transformations__scripts": True}])
async def test_a_script_of_a_destination_is_used_as_soon_as_there_is_one(svix: SvixAsync, app: str) -> None:
    code = "function handler(webhook) { webhook.payload = {changed: true}; return webhook }"
    async with Receiver() as receiver:
        made = await svix.destination.create(app, fifo(receiver.url, batchSize=1))
        await svix.destination.transformation.patch(app, made.id, DestinationTransformIn(code=code))
        shown = await svix.destination.transformation.get(app, made.id)
        assert (shown.code, shown.enabled) == (code, True)
        await svix.message.create(app, MessageIn(event_type="a", payload={}))
        await until(lambda: receiver.requests)
        assert json.loads(receiver.requests[0].body) == {"changed": True}
        await svix.destination.transformation.patch(app, made.id, DestinationTransformIn(code=None))
        shown = await svix.destination.transformation.get(app, made.id)
        assert (shown.code, shown.enabled) == (None, False)
        with pytest.raises(HTTPValidationError):
            await svix.destination.transformation.patch(app, made.id, DestinationTransformIn(code="{" * 100_000))


async def test_an_endpoint_without_an_order_is_no_destination(svix: SvixAsync, app: str) -> None:
    endpoint = await svix.endpoint.create(app, EndpointIn(url="https://127.0.0.1:1/"))
    with pytest.raises(HttpError):
        await svix.destination.transformation.get(app, endpoint.id)
