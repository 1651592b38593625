"""Secrets are rotated without losing an endpoint's signing secret or a token."""

from __future__ import annotations

import stat
from pathlib import Path

from aiohttp import BasicAuth
from engines import acme, local_engine, send
from receivers import Receiver

from webhook_engine.secrets.rotation import rotate


async def test_a_new_main_secret_keeps_every_signing_secret(tmp_path: Path) -> None:
    path, file = tmp_path / "a.db", tmp_path / "a.db.main_secret"
    secrets: dict[str, str] = {}
    async with local_engine(path) as engine:
        for number in range(3):
            endpoint = await acme(engine, f"https://example.com/{number}", headers={"x-token": str(number)})
            await engine.endpoints.rotate_secret("acme", endpoint.id)
            secrets[endpoint.id] = await engine.endpoints.get_secret("acme", endpoint.id)
    before = file.read_text()
    rotate(file)
    rotate(file)
    assert (tmp_path / "a.db.main_secret.older").read_text().splitlines()[1] == before.strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for _ in range(2):
        async with local_engine(path) as engine:
            assert not (tmp_path / "a.db.main_secret.older").exists()
            for endpoint_id, secret in secrets.items():
                assert await engine.endpoints.get_secret("acme", endpoint_id) == secret
            assert (await engine.endpoints.get_headers("acme", endpoint.id)).headers == {"x-token": "2"}
    assert file.read_text() != before


async def test_a_new_main_secret_keeps_the_passwords_in_urls(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with Receiver() as receiver:
        async with local_engine(path) as engine:
            await acme(engine, receiver.url.replace("//", "//shop:secret@"))
        rotate(tmp_path / "a.db.main_secret")
        async with local_engine(path) as engine:
            await send(engine)
            await engine.join(timeout=5)
        assert BasicAuth.decode(receiver.requests[0].headers["authorization"]) == ("shop", "secret", "latin1")
