"""The API of several engines on one PostgreSQL: what one answers, every other one knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from webhook_engine import Engine
from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.server.tokens import TokenKeys, organization_claims

MakeEngine = Callable[..., Engine]


SECRETS = {"auth__jwt_secret": "j" * 40, "security__main_secret": "m" * 40}


def client(engine: Engine) -> aiohttp.ClientSession:
    claims = organization_claims(DEFAULT_ORGANIZATION, "tok_1", int(time.time()))
    return aiohttp.ClientSession(headers={"authorization": f"Bearer {TokenKeys.of(engine.config).sign(claims)}"})


async def test_a_key_is_used_once_whichever_engines_are_asked_at_once(make_engine: MakeEngine) -> None:
    async with (
        make_engine(**SECRETS) as first,
        make_engine(**SECRETS) as second,
        first.serve("127.0.0.1:0") as one,
        second.serve("127.0.0.1:0") as other,
        client(first) as session,
    ):

        async def create(url: str, key: str) -> str:
            headers = {"idempotency-key": key}
            async with session.post(f"{url}/api/v1/app", json={"name": "Acme"}, headers=headers) as response:
                assert response.status == 201, await response.text()
                return str((await response.json())["id"])

        for number in range(5):
            made = await asyncio.gather(*(create(at.url, f"key {number}") for at in (one, other) for _ in range(3)))
            assert len(set(made)) == 1
        assert len((await first.applications.list()).data) == 5


async def test_a_token_that_one_engine_revokes_is_refused_by_the_others(make_engine: MakeEngine) -> None:
    async with (
        make_engine(**SECRETS) as first,
        make_engine(**SECRETS) as second,
        first.serve("127.0.0.1:0") as one,
        second.serve("127.0.0.1:0") as other,
        client(first) as session,
        aiohttp.ClientSession() as anybody,
    ):
        await first.applications.create(name="Acme", uid="acme")
        async with session.post(f"{one.url}/api/v1/auth/app-portal-access/acme", json={}) as response:
            assert response.status == 200, await response.text()
            headers = {"authorization": f"Bearer {(await response.json())['token']}"}

        async def status() -> int:
            async with anybody.get(f"{other.url}/api/v1/app/acme/endpoint", headers=headers) as response:
                return response.status

        assert await status() == 200
        async with anybody.post(f"{one.url}/api/v1/auth/logout", headers=headers) as response:
            assert response.status == 204
        async with asyncio.timeout(20):
            while await status() != 401:
                await asyncio.sleep(0.01)
