"""Being told why a request does not verify."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from receivers import Receiver, Request

from webhook_engine import Engine
from webhook_engine.model import Endpoint
from webhook_engine.resources.diagnosis import Finding, parse_headers

PAYLOAD = b'{"id": 1, "name": "Ada"}'


async def received(engine: Engine, receiver: Receiver) -> tuple[Endpoint, Request, str]:
    """A request that an endpoint received, and its headers as text."""
    endpoint = await engine.endpoints.create("acme", url=receiver.url)
    await engine.messages.create("acme", event_type="n", payload=PAYLOAD)
    [request] = await receiver.wait_for(1)
    return endpoint, request, "\n".join(f"{name}: {value}" for name, value in request.headers.items())


async def test_what_is_different_is_found(engine: Engine, receiver: Receiver) -> None:
    endpoint, request, headers = await received(engine, receiver)
    other = await engine.endpoints.create("acme", url="https://example.com/other")
    signature = request.headers["webhook-signature"]
    cases: list[tuple[str, bytes, Finding]] = [
        (headers, PAYLOAD, Finding.VERIFIED),
        (headers, json.dumps(json.loads(PAYLOAD), indent=2).encode(), Finding.BODY_REFORMATTED),
        (headers, PAYLOAD + b"\n", Finding.BODY_TRIMMED),
        (headers, b'{"id": 2}', Finding.BODY_CHANGED),
        (headers, b"no JSON", Finding.BODY_CHANGED),
        (headers.replace(signature, "v1,AAAA"), PAYLOAD, Finding.SIGNATURE_CHANGED),
        (headers.replace(request.headers["webhook-id"], "msg_other"), PAYLOAD, Finding.UNKNOWN),
        (headers.replace("webhook-timestamp", "x").replace("svix-", "y-"), PAYLOAD, Finding.MISSING_HEADER),
        (headers.replace(request.headers["webhook-timestamp"], "soon"), PAYLOAD, Finding.BAD_TIMESTAMP),
        ("", b"", Finding.MISSING_HEADER),
    ]
    for text, body, finding in cases:
        assert (await engine.endpoints.diagnose("acme", endpoint.id, text, body)).finding is finding, (text, body)
    found = await engine.endpoints.diagnose("acme", other.id, headers, PAYLOAD + b" ")
    assert found.finding is Finding.OTHER_ENDPOINT
    assert found.endpoint is not None
    assert found.endpoint.id == endpoint.id


async def test_the_secret_of_before_a_rotation_is_told_from_a_wrong_one(engine: Engine, receiver: Receiver) -> None:
    endpoint, _, headers = await received(engine, receiver)
    await engine.endpoints.rotate_secret("acme", endpoint.id)
    found = await engine.endpoints.diagnose("acme", endpoint.id, headers, PAYLOAD)
    assert found.finding is Finding.OLD_SECRET
    await engine.endpoints.rotate_secret("acme", endpoint.id, grace_period=timedelta(0))
    assert found.age_s is not None


@pytest.mark.parametrize(
    "text",
    [
        "webhook-id: msg_1\nWebhook-Signature: v1,ab+/=",
        "> webhook-id: msg_1\r\n> webhook-signature: v1,ab+/=\r\n",
        "-H 'webhook-id: msg_1' \\\n  -H 'webhook-signature: v1,ab+/=' \\",
        '{"webhook-id": "msg_1", "webhook-signature": "v1,ab+/="}',
        '{"Webhook-Id": ["msg_1"], "webhook-signature": ["v1,ab+/="]}',
        "  'webhook-id': 'msg_1',\n  'webhook-signature': 'v1,ab+/=',",
        'HTTP_WEBHOOK_ID="msg_1"\nHTTP_WEBHOOK_SIGNATURE="v1,ab+/="',
    ],
)
def test_headers_are_read_as_they_are_pasted(text: str) -> None:
    assert parse_headers(text) == {"webhook-id": "msg_1", "webhook-signature": "v1,ab+/="}
