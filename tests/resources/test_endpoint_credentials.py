"""What an endpoint proves with who asks: set, shown, tried and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engines import acme, attempts_of, local_engine, send
from receivers import Receiver
from token_servers import BASIC, BEARER, TokenServer, oauth2

from webhook_engine import Engine, ValidationError
from webhook_engine.rules.user_info import MASK
from webhook_engine.secrets.files import SecretFile
from webhook_engine.secrets.rotation import rotate


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
