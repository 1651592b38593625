"""Destinations of the type ``fifoEndpoint``, through the official client library."""

from __future__ import annotations

import json

import pytest
from engines import until
from receivers import Receiver
from svix.api import SvixAsync
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (
    ApplicationIn,
    DestinationIn,
    DestinationPatch,
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
