"""Whatever bytes stand in headers, tokens, paths, queries and bodies: the answer is never a 500, and always there.

One running server is asked thousands of times over a raw connection, so that nothing of a client's stands between.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from api_clients import JWT_SECRET, Client, Tokens

from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server.api.routes import PREFIX, ROUTES
from webhook_engine.server.listener import Server

Headers = list[tuple[bytes, bytes]]

APPLICATION = "app_1srOrx2ZWZBpBUvZwXKQmoEYga2"
SEGMENTS = (
    b"\xff", b"%ff", b"%00", b"%ed%a0%80", b"a" * 400, b"a%2fb", "é".encode(), "😀".encode(), b"..", b"-", b"+", b"%",
    b"\x7f", b"msg_" + b"z" * 27, b"acme",
)  # fmt: skip
VALUES = (
    "\ud800", "\x00", "", None, True, 1, -1, 1e308, 10**30, 1.5, [], ["\ud800"], [[]], {}, {"\ud800": "\ud800"},
    {"a": "\ud800"}, {"a": None}, {"a": {}}, {"1": {"maximum": 10**300}}, "x" * 5000, "a: 1:1:1:1.0",
    "a: 1:1:1:1:1:1.0", "webhooks: {a: {post: {description: 2030-01-31, deprecated: yes}}}",
    "webhooks: !!binary aGk=", "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "http://[::1", "http://\u2028/", "http://xn--\ufffd/",
    "http://a:99999/",
)  # fmt: skip
HEADERS = (
    b"authorization", b"idempotency-key", b"user-agent", b"traceparent", b"tracestate", b"x-forwarded-for",
    b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"accept", b"if-none-match", b"content-type",
    b"content-encoding", b"expect", b"cookie", b"origin", b"access-control-request-headers", b"host", b"svix-req-id",
    b"upgrade", b"range", b"if-modified-since", b"accept-encoding", b"accept-language", b"referer",
)  # fmt: skip
HEADER_VALUES = (
    b"\xff\xfe", b"Bearer \xff", b"Bearer \xff.\xff.\xff", b"", b"a" * 10_000, "é😀".encode(), b",,,", b";q=\xff", b'"',
    b"00-" + b"\xff" * 32 + b"-\xff-01", b"a=\xff", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"svix-libs/\xff/python", b"svix-libs/99999999999999999999999.1/java", b"svix-libs//",
    b"application/openmetrics-text; version=\xff", b"text/plain; version=1.x",
)  # fmt: skip
CLAIMS = (
    "\ud800", "org_\ud800", "org_\x00", "org_", "app_", "app_\ud800", None, True, 1, -1, 1e308, 10**400, 1.5, [],
    ["\ud800"], {}, {"\ud800": 1}, float("inf"), float("nan"), "x" * 3000, "tok_" + "z" * 27, [1], ["a b"], ["x"] * 300,
    [str(number) for number in range(300)],
)  # fmt: skip
GOOD: dict[str, object] = {
    "name": "x", "url": "https://example.com/", "eventType": "a.b", "payload": {}, "headers": {},
    "since": "2026-01-01T00:00:00Z", "after": "2026-01-01T00:00:00Z",
}  # fmt: skip


class Line:
    """A connection to the server, made anew where the server has closed it; counts what it asks, and keeps the 500s."""

    def __init__(self, server: Server) -> None:
        self._host, _, port = server.url.removeprefix("http://").rpartition(":")
        self._port = int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.asked = 0
        self.failed: list[object] = []

    async def ask(self, method: str, target: bytes, headers: Headers, body: bytes = b"", what: object = None) -> None:
        self.asked += 1
        try:
            status, text = await self._exchange(method, target, headers, body)
        except (asyncio.IncompleteReadError, ConnectionError):  # the answer before was the last on its connection
            self.close()
            status, text = await self._exchange(method, target, headers, body)
        if status >= 500 or (status >= 400 and target.startswith(PREFIX.encode()) and not text.startswith(b"{")):
            self.failed.append((what, method, target[:100], status, text[:100]))

    async def _exchange(self, method: str, target: bytes, headers: Headers, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: x"]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"Content-Length: %d" % len(body)] if method != "GET" else []
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        async with asyncio.timeout(30):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, _, length = head.partition(b"content-length:")
            text = await reader.readexactly(int(length.split(b"\r\n")[0])) if length else b""
        if b"connection: close" in head:
            self.close()
        return int(head.split()[1]), text

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@pytest.fixture
def settings() -> dict[str, object]:
    return {"tracing__enabled": True}


@pytest_asyncio.fixture
async def line(server: Server, acme: Client) -> AsyncIterator[Line]:
    await acme.post("/app/acme/endpoint", {"url": "https://127.0.0.1:1/", "uid": "e", "disabled": True})
    await acme.post("/event-type", {"name": "a.b", "description": ""})
    made = Line(server)
    yield made
    made.close()


@pytest.fixture
def bearer(acme: Client) -> Headers:
    return [(b"Authorization", f"Bearer {acme.token}".encode())]


def body_of(method: str) -> bytes:
    return b"" if method == "GET" else b"{}"


async def test_in_paths_and_queries(line: Line, bearer: Headers) -> None:
    for route in ROUTES:
        for segment in SEGMENTS:
            for first in (segment, b"acme"):
                parts = [
                    (first if part == "{app_id}" else segment if part.startswith("{") else part.encode())
                    for part in route.path.split("/")
                ]
                target = PREFIX.encode() + b"/".join(parts)
                await line.ask(route.method, target, bearer, body_of(route.method), route.operation)
            for field in msgspec.structs.fields(route.query_type):
                target = f"{PREFIX}{route.path.replace('{app_id}', 'acme')}?{field.name}=".encode() + segment
                await line.ask(route.method, target, bearer, body_of(route.method), route.operation)
    assert line.failed == []
    assert line.asked > 2000


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_in_bodies(line: Line, bearer: Headers, acme: Client) -> None:
    for route in ROUTES:
        fields = msgspec.structs.fields(route.body_type) if route.reads_body else ()
        for place, field in enumerate(fields):
            # A third for each, another one for the next: all of them for all would take minutes.
            for value in VALUES[place % 3 :: 3]:
                body: dict[str, Any] = {
                    each.encode_name: GOOD.get(each.encode_name, "x") for each in fields if each.required
                }
                if route.operation == "message.create":
                    body["payload"] = {}
                body[field.encode_name] = value
                path = route.path.replace("{app_id}", "acme").replace("{endpoint_id}", "e")
                target = (PREFIX + path.replace("{event_type_name}", "a.b")).encode()
                await line.ask(route.method, target, bearer, json.dumps(body).encode(), (field.name, str(value)[:40]))
        await acme.post("/app?get_if_exists=true", {"name": "Acme", "uid": "acme"})
    assert line.failed == []
    assert line.asked > 500


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", b"/api/v1/app"), ("POST", b"/api/v1/app/acme/msg"), ("OPTIONS", b"/api/v1/app"),
        ("POST", b"/api/v1/app/acme/endpoint/e/secret/rotate"), ("GET", b"/metrics"), ("GET", b"/portal"),
        ("GET", b"/portal/static/portal.js"), ("POST", b"/play/"), ("GET", b"/docs"), ("GET", b"/api/v1/health"),
    ],
)  # fmt: skip
async def test_in_headers(line: Line, bearer: Headers, method: str, target: bytes) -> None:
    body = b'{"eventType":"a.b","payload":{}}' if target.endswith(b"msg") else body_of(method)
    for name in HEADERS:
        for value in (*HEADER_VALUES, bearer[0][1] + b"\xff"):
            headers = [(name, value)] if name == b"authorization" else [*bearer, (name, value)]
            if name == b"tracestate":
                headers.append((b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
            await line.ask(method, target, headers, body, (name, value[:40]))
    assert line.failed == []


def token_of(header: bytes, claims: bytes) -> bytes:
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
    digest = hmac.new(JWT_SECRET.encode(), signed, hashlib.sha256).digest()
    return signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")


@pytest.mark.parametrize(
    "claim",
    [
        "sub", "org", "iat", "exp", "nbf", "jti", "iss", "aud", "capabilities", "feature_flags", "session_id", "\ud800",
    ],
)  # fmt: skip
async def test_in_the_claims_of_a_token_with_a_good_signature(line: Line, claim: str) -> None:
    asked = (
        ("GET", b"/api/v1/app", b""), ("POST", b"/api/v1/app/acme/msg", b'{"eventType":"a.b","payload":{}}'),
        ("GET", b"/api/v1/event-type", b""), ("POST", b"/api/v1/auth/logout", b""),
        ("GET", b"/api/v1/background-task", b""), ("GET", b"/api/v1/operational-webhook/endpoint", b""),
        ("POST", b"/api/v1/operational-webhook/endpoint", b'{"url":"https://example.com/"}'),
    )  # fmt: skip
    now = int(time.time())
    for value in CLAIMS:
        for base in ({"sub": DEFAULT_ORGANIZATION}, {"sub": APPLICATION, "org": DEFAULT_ORGANIZATION}):
            claims = {"iat": now, "exp": now + 1000, **base, claim: value}
            token = token_of(b'{"alg":"HS256"}', json.dumps(claims).encode())
            for method, target, body in asked:
                headers = [(b"authorization", b"Bearer " + token), (b"idempotency-key", b"%d" % line.asked)]
                await line.ask(method, target, headers, body, str(value)[:40])
    assert line.failed == []


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none"}', b'{"alg":"HS256","kid":1}', b'{"alg":1}', b"[]", b'{"alg":"HS256","crit":["x"]}', b"\xff",
        b'{"alg":"HS256","b64":false,"crit":["b64"]}', b'{"alg":"HS256","zip":"DEF"}', b'{"alg":"\\ud800"}',
        b'{"alg":"HS256","kid":"\\ud800"}', b'{"alg":"HS256"}',
    ],
)  # fmt: skip
async def test_in_the_form_of_a_token(line: Line, header: bytes) -> None:
    claims = (
        b"{}", b"[]", b"1", b'"x"', b"\xff", b"null", b'{"sub":' + b"[" * 5000 + b"}",
        b'{"sub":"org_x","iat":' + b"9" * 5000 + b"}", b'{"sub":"org_x"}',
    )  # fmt: skip
    for each in claims:
        await line.ask("GET", b"/api/v1/app", [(b"authorization", b"Bearer " + token_of(header, each))], what=each[:40])
    assert line.failed == []


async def test_a_flag_that_cannot_be_one_is_none(acme: Client, tokens: Tokens) -> None:
    application = (await acme.get("/app/acme")).json["id"]
    await acme.post("/event-type", {"name": "hidden", "description": "", "featureFlags": ["beta"]})
    flags = ["a b", "", "\x00", "beta"]
    seen = await acme.with_token(tokens.application(application, feature_flags=flags)).get("/event-type")
    assert [each["name"] for each in seen.json["data"]] == ["hidden"]
