"""How requests to an endpoint are authenticated, from the call to the wire."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import receivers
import trustme
from engines import acme, attempts_of, local_engine, send, send_many, until
from receivers import Receiver, Reply, Request

from webhook_engine import Engine, ValidationError
from webhook_engine.rules.user_info import MASK
from webhook_engine.secrets.files import SecretFile
from webhook_engine.secrets.rotation import rotate

BASIC = {"type": "basic", "username": "acme", "password": "p4ss:word"}
BEARER = {"type": "bearer", "token": "to.ken"}


class TokenServer:
    """Gives ``token-1`` and so on; takes them where a receiver asks it."""

    def __init__(self) -> None:
        self.count = 0
        self.good = {"token-1"}

    def give(self, _request: Request) -> Reply:
        self.count += 1
        return Reply(200, json.dumps({"access_token": f"token-{self.count}", "expires_in": 3600}).encode())

    def judge(self, request: Request) -> int:
        return 200 if request.headers["authorization"].removeprefix("Bearer ") in self.good else 401


def oauth2(server: Receiver, **more: str) -> dict[str, str]:
    return {"type": "oauth2", "token_url": server.url, "client_id": "acme", "client_secret": "s3cret", **more}


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


async def test_it_can_be_changed_kept_by_its_mask_and_taken_back(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, authentication=BASIC)

        async def sent_with(**changes: Any) -> str | None:
            await engine.endpoints.update("acme", endpoint.id, **changes)
            await send(engine)
            await engine.join(timeout=5)
            value: str | None = receiver.requests[-1].headers.get("authorization")
            return value

        first = await sent_with(description="another")
        assert await sent_with(authentication={**BASIC, "password": MASK}) == first
        assert await sent_with(authentication=BEARER) == "Bearer to.ken"
        assert await sent_with(timeout="1s") == "Bearer to.ken"
        assert await sent_with(authentication=None) is None
        assert (await engine.endpoints.get("acme", endpoint.id)).authentication is None
        assert await _kept(engine) is None


async def test_only_one_thing_says_who_asks(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await acme(engine, "http://127.0.0.1:9/", uid="with", authentication=BEARER)
        await acme(engine, "http://127.0.0.1:9/", uid="own", headers={"Authorization": "x"})
        await acme(engine, "http://name:password@127.0.0.1:9/", uid="url")
        with pytest.raises(ValidationError, match="authorization header of its own"):
            await acme(engine, "http://127.0.0.1:9/", authentication=BEARER, headers={"AUTHORIZATION": "x"})
        with pytest.raises(ValidationError, match="user name or a password"):
            await acme(engine, "http://name:password@127.0.0.1:9/", authentication=BEARER)
        with pytest.raises(ValidationError, match="authorization header of its own"):
            await engine.endpoints.update("acme", "own", authentication=BEARER)
        with pytest.raises(ValidationError, match="user name or a password"):
            await engine.endpoints.update("acme", "url", authentication=BEARER)
        for change in (engine.endpoints.set_headers, engine.endpoints.patch_headers):
            with pytest.raises(ValidationError, match="authorization header of its own") as raised:
                await change("acme", "with", {"Authorization": "x"})
            assert raised.value.field == "headers"
        with pytest.raises(ValidationError, match="user name or a password") as raised:
            await engine.endpoints.update("acme", "with", url="http://name:password@127.0.0.1:9/")
        assert raised.value.field == "url"


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


async def test_it_is_tried_by_asking_for_a_token_and_sending_an_example(tmp_path: Path) -> None:
    tokens = TokenServer()
    async with (
        Receiver(tokens.give) as server,
        Receiver(tokens.judge) as receiver,
        local_engine(tmp_path / "e.db") as engine,
    ):
        endpoint = await acme(engine, receiver.url, authentication=oauth2(server))
        trial = await engine.endpoints.try_authentication("acme", endpoint.id)
        assert (trial.problem, trial.token_life_s) == (None, 3600)
        assert trial.message_id is not None
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, trial.message_id)
        assert attempt.response_status_code == 200
        await engine.endpoints.update("acme", endpoint.id, authentication=BEARER)
        trial = await engine.endpoints.try_authentication("acme", endpoint.id)
        assert (trial.problem, trial.token_life_s, trial.message_id is None) == (None, None, False)
        await engine.endpoints.update("acme", endpoint.id, authentication=oauth2(server))
        server.answer(503)
        trial = await engine.endpoints.try_authentication("acme", endpoint.id)
        assert (trial.problem, trial.message_id) == ("no access token: the token server answered 503", None)


async def test_a_new_main_secret_encrypts_it_anew(tmp_path: Path) -> None:
    database = tmp_path / "e.db"
    async with local_engine(database) as engine:
        await acme(engine, "http://127.0.0.1:9/", authentication=BEARER)
        before = await _kept(engine)
    rotate(SecretFile.MAIN.of(engine.config.store.files))
    async with Receiver() as receiver, local_engine(database) as engine:
        assert await _kept(engine) not in (None, before)
        [endpoint] = (await engine.endpoints.list("acme")).data
        await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        await send(engine)
        await engine.join(timeout=5)
        assert receiver.requests[0].headers["authorization"] == "Bearer to.ken"


async def _kept(engine: Engine) -> bytes | None:
    stored = await engine.services.store.endpoints.first()
    assert stored is not None
    return stored.encrypted_credentials
