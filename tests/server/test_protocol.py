"""Rubbish, floods and slowness: a clear 4xx each time, never a 500, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest
from api_clients import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhook_engine.errors import StoreUnavailableError
from webhook_engine.server import protocol
from webhook_engine.server.api.routes import ROUTES
from webhook_engine.server.errors import UnprocessableError
from webhook_engine.server.listener import Server

MESSAGE = '{"eventType":"a","payload":%s}'


async def exchange(server: Server, data: bytes, timeout: float = 5.0) -> bytes:
    """All that comes back for these bytes, until the server closes or nothing more comes."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        writer.write(data)
        async with asyncio.timeout(timeout):
            while b"\r\n\r\n" not in answer and (part := await reader.read(65536)):
                answer += part
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    "body",
    [
        MESSAGE % ('{"a":' * 129 + "1" + "}" * 129),
        MESSAGE % ("[" * 5_000 + "]" * 5_000),
        MESSAGE % ("[" * 300_000 + "]" * 300_000),
        '{"eventType":"a","x":' + "[" * 300_000 + "]" * 300_000 + "}",
        MESSAGE % '{"a":"\x00"}',
        MESSAGE % r'{"a":"\ud800"}',
        MESSAGE % '{"a":01}',
        MESSAGE % '{"a":NaN}',
        MESSAGE % '{"a":1}}',
        MESSAGE % "1",
        b'{"eventType":"a","payload":{"a":"\xff"}}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"eventType":"\\ud800","payload":{}}',
        MESSAGE[:-4] + "{}" + ',"payloadRetentionPeriod":' + "9" * 100_000 + "}",
    ],
)
async def test_json_that_is_none_is_unprocessable(acme: Client, body: str | bytes) -> None:
    answer = await acme.post("/app/acme/msg", body)
    assert answer.status == 422, answer.text
    assert answer.json["detail"][0]["type"] == "value_error.jsondecode"
    assert len(answer.text) < 1000


@pytest.mark.parametrize(
    "payload",
    [
        '{"a":' * 128 + "1" + "}" * 128,
        '{"n":' + "9" * 100_000 + "}",
        '{"n":1e999999999}',
        r'{"\u0000":"\u0000"}',
        '{"a":"' + "[" * 200_000 + '"}',
        '{"a":[' + "1," * 100_000 + "1]}",
        '{"a":1,"a":2,"\\u0061":3}',
    ],
)
async def test_json_that_is_only_strange_is_taken(acme: Client, payload: str) -> None:
    made = await acme.post("/app/acme/msg", MESSAGE % payload)
    assert made.status == 202, made.text[:300]
    assert (await acme.get("/app/acme/msg")).status == 200


async def test_a_body_too_large_is_refused_after_it_was_read(acme: Client) -> None:
    answer = await acme.post("/app/acme/msg", MESSAGE % ('{"a":"' + "x" * 8_000_000 + '"}'))
    assert (answer.status, answer.text) == (
        413,
        '{"code":"payload_too_large","detail":"Request payload is too large."}',
    )


async def test_so_is_one_in_chunks(acme: Client, session: aiohttp.ClientSession) -> None:
    async def chunks() -> object:
        for _ in range(100):
            yield b"x" * 50_000

    headers = {"authorization": f"Bearer {acme.token}"}
    async with session.post(f"{acme.url}/api/v1/app/acme/msg", data=chunks(), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (413, "payload_too_large")
    async with session.post(f"{acme.url}/api/v1/nope", data=chunks(), headers=headers) as response:
        assert response.status == 413


async def test_compressed_bodies_are_refused_as_they_are(acme: Client) -> None:
    answer = await acme.post("/app", b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert answer.json["code"] == "unsupported_encoding"


async def test_a_client_that_waits_to_be_told_goes_on(server: Server, acme: Client) -> None:
    head = (
        f"POST /api/v1/app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme.token}\r\n"
        "Content-Length: 14\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await exchange(server, head.encode())).startswith(b"HTTP/1.1 100 Continue")


async def test_a_slow_body_is_given_up(server: Server, acme: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_S", 0.2)
    head = f"POST /api/v1/app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme.token}\r\nContent-Length: 14\r\n\r\n"
    answer = await exchange(server, head.encode() + b'{"na')
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/app HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % each for each in range(1000)) + b"\r\n",
        b"GET /api/v1/app HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /api/v1/app HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
        b"POST /api/v1/app HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/v1/app HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_told_so_in_json(server: Server, head: bytes) -> None:
    answer = await exchange(server, head)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer[:200]
    body = answer.partition(b"\r\n\r\n")[2]
    assert json.loads(body)["code"] == "bad_request"


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "http://other/api/v1/app",
        "/api/v1/app/%00",
        "/api/v1/app/%ff%fe",
        "/api/v1/app/..%2f..",
        "/api/v1/app?a=%ff",
    ],
)
async def test_strange_targets_are_answered(server: Server, acme: Client, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {acme.token}\r\n\r\n"
    status = int((await exchange(server, head.encode())).split()[1])
    assert status == 200 or 400 <= status < 500


@pytest.mark.parametrize(
    "query",
    [
        "limit=1e3", "limit=99999999999999999999", "limit=", "limit=%00", "iterator=", "iterator=-", "order=up",
        "before=x", "before=", "status=9", "status_code_class=250", "channel=a%20b", "with_content=perhaps",
        "&".join(["event_types=a"] * 2000), "event_types=" + "a," * 5000, "tag=%F0%28%8C%28",
    ],
)  # fmt: skip
async def test_rubbish_in_queries_is_a_clear_error(acme: Client, query: str) -> None:
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e"})
    for path in ("/app", "/app/acme/msg", "/app/acme/attempt/endpoint/e", "/app/acme/endpoint/e/msg", "/event-type"):
        answer = await acme.get(f"{path}?{query}")
        assert answer.status == 200 or 400 <= answer.status < 500, f"{path}: {answer.text}"
        assert isinstance(answer.json, dict)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["name", "uid", "url", "metadata", "channels", "eventTypes", "payload", "eventType"])
                | st.text(max_size=8),
                inner,
                max_size=6,
            )
        ),
        max_leaves=12,
    )
)
def test_no_body_makes_the_server_fail(body: object) -> None:
    text = json.dumps(body).encode()
    for route in ROUTES:
        if route.reads_body:
            with suppress(UnprocessableError):
                decoded = route._decoded(text)
                if hasattr(decoded, "values"):
                    decoded.values()


async def test_the_server_tells_when_it_cannot_write(
    acme: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(server._engine.services.store.applications, "add", full)
    answer = await acme.post("/app", {"name": "x"})
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
