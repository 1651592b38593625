"""How requests to an endpoint are authenticated, from the call to the wire."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import receivers
import trustme
from engines import acme, attempts_of, local_engine, send, send_many, until
from receivers import Receiver, Reply
from token_servers import BASIC, BEARER, TokenServer, oauth2

from webhook_engine import Engine, ValidationError
from webhook_engine.rules.user_info import MASK


@pytest.mark.parametrize(
    ("authentication", "header"),
    [(BASIC, "Basic " + base64.b64encode(b"acme:p4ss:word").decode()), (BEARER, "Bearer to.ken")],
)
async def test_each_request_carries_it_and_nothing_shows_it(
    tmp_path: Path, authentication: dict[str, str], header: str
) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, authentication=authentication)
        assert endpoint.authentication is not None
        assert endpoint == await engine.endpoints.get("acme", endpoint.id)
        message = await send(engine)
        await engine.join(timeout=5)
        assert receiver.requests[0].headers["authorization"] == header
        [attempt] = await attempts_of(engine, message)
        assert attempt.request_headers["authorization"] == MASK
        for shown in (endpoint, attempt):
            assert not any(secret in repr(shown) for secret in ("p4ss:word", "to.ken", header))
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("e.db*"))
    assert not any(secret in stored for secret in (b"p4ss:word", b"to.ken", header.encode()))


async def test_a_token_is_asked_for_once_kept_and_renewed_once_after_a_401(tmp_path: Path) -> None:
    tokens = TokenServer()
    async with (
        Receiver(tokens.give) as server,
        Receiver(tokens.judge) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=[]) as engine,
    ):
        endpoint = await acme(engine, receiver.url, authentication=oauth2(server))
        await send_many(engine, 20)
        await engine.join(timeout=10)
        assert (len(receiver.requests), len(server.requests)) == (20, 1)
        tokens.good = {"token-2"}
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.response_status_code, attempt.request_headers["authorization"]) == (200, MASK)
        assert (len(receiver.requests), len(server.requests)) == (22, 2)
        tokens.good = {"none"}
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.response_status_code, len(receiver.requests), len(server.requests)) == (401, 24, 3)
        assert "s3cret" not in repr(await engine.endpoints.get("acme", endpoint.id))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Reply(401, b'{"error": "invalid_client"}'), "no access token: the token server answered 401 (invalid_client)"),
        (None, "no access token: could not connect"),
    ],
)
async def test_no_token_is_a_failed_attempt_with_its_error(tmp_path: Path, script: Reply | None, words: str) -> None:
    async with Receiver() as receiver, Receiver(script or 200) as server, local_engine(tmp_path / "e.db") as engine:
        if script is None:
            await server.__aexit__(None, None, None)
        await acme(engine, receiver.url, authentication=oauth2(server))
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.failure, attempt.response_status_code, attempt.request_headers) == ("authentication", 0, {})
        assert attempt.response.startswith(words)
        assert receiver.requests == []


async def test_a_token_server_that_hangs_holds_no_other_endpoint_up(tmp_path: Path) -> None:
    async with (
        receivers.hanging() as server,
        Receiver() as receiver,
        local_engine(tmp_path / "e.db", shutdown_grace="0s") as engine,
    ):
        await acme(engine, receiver.url, uid="hanging", authentication=oauth2(server))
        await acme(engine, receiver.url, uid="good")
        await send_many(engine, 200)
        await until(lambda: len(receiver.requests) == 200)
        assert len(server.requests) == 1


async def test_a_certificate_and_authorities_of_its_own(tmp_path: Path) -> None:
    issuer = trustme.CA()
    issued = issuer.issue_cert("acme.example")
    tls = {
        "certificate": "".join(blob.bytes().decode() for blob in issued.cert_chain_pems),
        "key": issued.private_key_pem.bytes().decode(),
        "ca": receivers.authority().cert_pem.bytes().decode(),
    }
    async with receivers.asking_for_certificates(issuer) as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, tls=tls)
        assert endpoint.tls is not None
        assert (endpoint.tls.certificate, endpoint.tls.key) == (tls["certificate"], MASK)
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert attempt.response == "acme.example"
        await engine.endpoints.update("acme", endpoint.id, tls={**tls, "key": MASK})
        await engine.endpoints.update("acme", endpoint.id, tls={"ca": tls["ca"]})
        message = await send(engine)
        await until(lambda: _attempted(engine, message))
        [attempt] = await attempts_of(engine, message)
        assert attempt.response_status_code == 0
        for wrong, field in (({**tls, "key": "x"}, "tls.key"), ({"ca": "x"}, "tls.ca")):
            with pytest.raises(ValidationError) as raised:
                await engine.endpoints.update("acme", endpoint.id, tls=wrong)
            assert raised.value.field == field
    assert tls["key"].encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("e.db*"))


async def _attempted(engine: Engine, message: str) -> bool:
    return bool(await attempts_of(engine, message))
