"""Tokens and links that are taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from api_clients import JWT_SECRET, Client, Tokens

from webhook_engine import Engine, ManualClock


async def test_ending_all_tokens_ends_unopened_links_too(acme: Client) -> None:
    access = (await acme.post("/auth/app-portal-access/acme", {})).json
    assert (await acme.post("/auth/app/acme/expire-all", {})).status == 204
    assert (await acme.with_token(access["token"]).get("/app/acme")).status == 401
    key = access["url"].partition("#key=")[2]
    assert (await acme.with_token(None).post("/auth/portal-session", {"key": key})).status == 401


async def test_a_revoked_token_gets_no_old_answers(acme: Client, tokens: Tokens) -> None:
    leaving = acme.with_token(tokens.organization())
    key = {"idempotency-key": "k"}
    assert (await leaving.post("/app", {"name": "x"}, headers=key)).status == 201
    assert (await leaving.post("/auth/logout")).status == 204
    assert (await leaving.post("/app", {"name": "x"}, headers=key)).status == 401


async def test_what_was_revoked_stays_so_and_a_key_stays_used_whatever_the_clock_is_set_to(
    tmp_path: Path, session: aiohttp.ClientSession, tokens: Tokens
) -> None:
    clock = ManualClock()
    began = datetime.fromtimestamp(clock.now() / 1_000_000, UTC)
    engine = Engine.open(tmp_path / "webhooks.db", clock=clock, auth__jwt_secret=JWT_SECRET)
    async with engine, engine.serve("127.0.0.1:0") as server:
        api = Client(session, server.url, tokens.organization())
        key = {"idempotency-key": "k"}
        made = (await api.post("/app", {"name": "x"}, headers=key)).json
        clock.set(began + timedelta(days=6))
        assert (await api.post("/app", {"name": "x"}, headers=key)).json["id"] == made["id"]
        leaving = api.with_token(tokens.organization())
        assert (await leaving.post("/auth/logout")).status == 204
        clock.set(began - timedelta(hours=12))
        assert (await leaving.get("/app")).status == 401
        assert (await api.post("/app", {"name": "x"}, headers=key)).json["id"] == made["id"]
