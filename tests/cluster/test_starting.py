"""Engines that are started at once, on an empty database or with other secrets than those that are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from daemons import daemon, token

from webhook_engine import ConfigError, Engine, SecretsUnreadableError
from webhook_engine.config.sections import StoreConfig
from webhook_engine.secrets.rotation import rotate
from webhook_engine.store.members import SHARDS, Member
from webhook_engine.store.opening import find_members

MakeEngine = Callable[..., Engine]


@pytest.mark.slow
async def test_two_daemons_start_at_once_on_an_empty_database(
    server: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them makes schema, tables and secrets, the other one waits; then both serve, and share the endpoints."""
    settings = {
        "WEBHOOK_ENGINE_STORE__URL": server,
        "WEBHOOK_ENGINE_STORE__SCHEMA": schema,
        "WEBHOOK_ENGINE_LOG__FORMAT": "json",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    async def members() -> Sequence[Member]:
        return await find_members(StoreConfig(url=server, schema=schema))

    first, second = daemon(tmp_path), daemon(tmp_path)
    running = await asyncio.gather(first.__aenter__(), second.__aenter__())
    try:
        async with asyncio.timeout(30):
            while len(held := [one.shards for one in await members()]) < 2 or 0 in held or sum(held) != SHARDS:
                await asyncio.sleep(0.1)
        assert (await token(tmp_path)).count(".") == 2
        assert [await one.end() for one in running] == [0, 0]
        assert await members() == []
    finally:
        await first.__aexit__(None, None, None)
        await second.__aexit__(None, None, None)


async def _started(engine: Engine) -> ConfigError | None:
    try:
        await engine.start()
    except ConfigError as problem:
        return problem
    return None


async def test_of_two_with_different_main_secrets_one_starts_on_an_empty_database(make_engine: MakeEngine) -> None:
    """Nothing is encrypted yet that could tell which is right."""
    secrets = ["a" * 40, "b" * 40]
    engines = [make_engine(security__main_secret=secret) for secret in secrets]
    problems = await asyncio.gather(*map(_started, engines))
    assert problems.count(None) == 1
    place = problems.index(None)
    engine, late = engines[place], engines[1 - place]
    [problem] = filter(None, problems)
    assert str(problem).startswith("security.main_secret is another one here than in the engine on ")
    try:
        assert not late.running
        assert isinstance(await _started(late), ConfigError)
        async with make_engine(security__main_secret=secrets[place]):
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url="https://example.com")
    finally:
        await engine.stop()
    with pytest.raises(SecretsUnreadableError):
        await late.start()


async def test_the_main_secret_is_rotated_while_others_run_with_the_one_before(
    make_engine: MakeEngine, tmp_path: Path
) -> None:
    """They share its file, and restart one by one: who comes second has no older one any more."""
    async with make_engine() as first:
        await first.applications.create(name="Acme", uid="acme")
        endpoint = await first.endpoints.create("acme", url="https://example.com")
        secret = await first.endpoints.get_secret("acme", endpoint.id)
        rotate(tmp_path / "webhook-engine.db.main_secret")
        for _ in range(2):
            async with make_engine() as other:
                assert await other.endpoints.get_secret("acme", endpoint.id) == secret


async def test_who_makes_tokens_with_another_secret_does_not_serve_beside_others(make_engine: MakeEngine) -> None:
    async with make_engine(auth__jwt_secret="a" * 40) as engine, engine.serve("127.0.0.1:0"):
        async with make_engine(auth__jwt_secret="b" * 40) as other:
            with pytest.raises(ConfigError, match=r"^auth\.jwt_secret is another one here than in the engine on "):
                async with other.serve("127.0.0.1:0"):
                    pass
            assert other.running
        async with make_engine(auth__jwt_secret="a" * 40) as same, same.serve("127.0.0.1:0"):
            pass
    # Nobody else is there, so nobody is contradicted: a secret that leaked is replaced at once.
    async with make_engine(auth__jwt_secret="b" * 40) as engine, engine.serve("127.0.0.1:0"):
        pass
