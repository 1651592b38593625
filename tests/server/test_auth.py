"""Who asks, and what they may do."""

from __future__ import annotations

import time
from typing import Any

import jwt
import msgspec
import pytest
from api_clients import JWT_SECRET, Client, Tokens
from engines import until
from receivers import Receiver

from webhook_engine.model import DEFAULT_ORGANIZATION
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.route import Auth, Route
from webhook_engine.server.api.routes import ROUTES

INVALID = '{"code":"authentication_failed","detail":"Invalid token"}'


async def test_without_a_good_token_nothing_is_told(api: Client, tokens: Tokens) -> None:
    now = int(time.time())
    bad = [
        None,
        "",
        "x",
        "a.b.c",
        "x" * 100_000,
        Tokens("another secret, which is also long enough to be one").organization(),
        tokens.organization(exp=now - 1000),
        tokens.organization(iat=now + 1000),
        tokens.organization(nbf=now + 1000),
        tokens.organization(exp="never"),
        jwt.encode({"sub": DEFAULT_ORGANIZATION}, "", algorithm="none"),
        jwt.encode({"sub": DEFAULT_ORGANIZATION}, JWT_SECRET, algorithm="HS512"),
    ]
    for token in bad[:4] + bad[5:]:
        answer = await api.with_token(token).get("/app")
        assert (answer.status, answer.text) == (401, INVALID), token
    assert (await api.with_token(bad[4]).get("/app")).status == 400  # more than a header may hold
    basic = await api.with_token(None).get("/app", headers={"authorization": "Basic eDp5"})
    assert basic.status == 401


async def test_the_scheme_is_not_case_sensitive(api: Client) -> None:
    assert (await api.with_token(None).get("/app", headers={"authorization": f"bEARER   {api.token}"})).status == 200


async def test_ids_of_the_wrong_kind_have_their_own_codes(api: Client, tokens: Tokens) -> None:
    wrong = await api.with_token(tokens.organization("acme")).get("/app")
    assert wrong.text == '{"code":"bad_token","detail":"`sub` is not a valid organization id."}'
    wrong = await api.with_token(tokens.application("app_x", "acme")).get("/app")
    assert wrong.text == '{"code":"bad token","detail":"`org` is not a valid organization id"}'
    wrong = await api.with_token(tokens.application("x")).get("/app")
    assert wrong.text == '{"code":"bad token","detail":"`sub` is not a valid application id"}'
    missing = await api.with_token(tokens.organization(sub=None)).get("/app")
    assert missing.json["detail"] == "Invalid token (missing `sub`)."


async def test_the_secret_is_no_token(api: Client) -> None:
    answer = await api.with_token(JWT_SECRET).get("/app")
    assert answer.status == 401
    assert "signing secrets can not be used as tokens" in answer.json["detail"]


async def test_an_organization_need_not_look_like_an_id(api: Client, tokens: Tokens) -> None:
    other = api.with_token(tokens.organization("org_of my own"))
    assert (await other.get("/app")).json["data"] == []


@pytest.fixture
async def others(acme: Client, tokens: Tokens) -> tuple[str, str]:
    """Ids of ``acme`` and of another application."""
    await acme.post("/app/acme/endpoint", {"url": "http://example.com", "uid": "e"})
    other = await acme.post("/app", {"name": "Other", "uid": "other"})
    return (await acme.get("/app/acme")).json["id"], other.json["id"]


def path_of(route: Route[Any, Any], application: str) -> str:
    path = route.path.replace("{app_id}", application)
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "e" if name == "endpoint_id" else "none")
    # Queries are looked at before tokens.
    needed = [each for each in msgspec.structs.fields(route.query_type) if each.required]
    return f"{path}?{'&'.join(f'{each.encode_name}=x' for each in needed)}" if needed else path


async def test_application_tokens_reach_their_own_application_only(
    acme: Client, tokens: Tokens, others: tuple[str, str]
) -> None:
    mine, _ = others
    consumer = acme.with_token(tokens.application(mine))
    for route in ROUTES:
        if route.auth in (Auth.ORGANIZATION, Auth.ORGANIZATION_APPLICATION):
            answer = await consumer(route.method, path_of(route, "acme"), {})
            assert (answer.status, answer.json["code"]) == (403, "insufficient access"), route.path
        elif route.auth is Auth.APPLICATION:
            answer = await consumer(route.method, path_of(route, "other"), {})
            assert (answer.status, answer.json["code"]) == (404, "not_found"), route.path


async def test_capabilities_limit_application_tokens(acme: Client, tokens: Tokens, others: tuple[str, str]) -> None:
    mine, _ = others
    for route in ROUTES:
        if route.needs is None:
            continue
        without = acme.with_token(
            tokens.application(mine, capabilities=[each for each in Capability if each is not route.needs])
        )
        assert (await without(route.method, path_of(route, "acme"), {})).status == 403, route.path
        only = acme.with_token(tokens.application(mine, capabilities=[route.needs]))
        assert (await only(route.method, path_of(route, "acme"), {})).status != 403, route.path


async def test_feature_flags_hide_event_types(acme: Client, tokens: Tokens, others: tuple[str, str]) -> None:
    await acme.post("/event-type", {"name": "open", "description": ""})
    await acme.post("/event-type", {"name": "beta", "description": "", "featureFlag": "beta"})
    plain, flagged = (acme.with_token(tokens.application(others[0], feature_flags=flags)) for flags in ([], ["beta"]))
    assert [each["name"] for each in (await plain.get("/event-type")).json["data"]] == ["open"]
    assert [each["name"] for each in (await flagged.get("/event-type")).json["data"]] == ["beta", "open"]
    assert (await plain.get("/event-type/beta")).status == 404


async def test_queries_are_checked_before_tokens_and_tokens_before_bodies(api: Client) -> None:
    stranger = api.with_token(None)
    assert (await stranger.get("/app?limit=300")).status == 422
    assert (await stranger.post("/app", {})).status == 401
    assert (await api.patch("/app/none", {"name": None})).status == 404


async def test_a_token_of_a_deleted_application_finds_nothing(
    acme: Client, tokens: Tokens, others: tuple[str, str]
) -> None:
    consumer = acme.with_token(tokens.application(others[0]))
    assert (await consumer.get("/app/acme")).status == 200
    await acme.delete("/app/acme")
    assert (await consumer.get("/app/acme")).status == 404
    assert (await consumer.get("/event-type")).status == 404


async def test_signatures_are_shown_to_those_who_may_see_the_secret(
    acme: Client, tokens: Tokens, others: tuple[str, str]
) -> None:
    async with Receiver() as receiver:
        await acme.post("/app/acme/endpoint", {"url": receiver.url})
        message = (await acme.post("/app/acme/msg", {"eventType": "n", "payload": {}})).json["id"]
        await receiver.wait_for(1)
        found = await until(lambda: _attempts(acme, message))
    path = f"/app/acme/msg/{message}/attempt/{found[0]['id']}/exchange"
    for capabilities, hidden in ((["ViewBase"], True), (["ViewBase", "ViewEndpointSecret"], False)):
        visitor = acme.with_token(tokens.application(others[0], capabilities=capabilities))
        shown = (await visitor.get(path)).json
        assert shown["signatureHidden"] is hidden
        assert any(each["name"] == "webhook-signature" for each in shown["requestHeaders"]) is not hidden


async def _attempts(acme: Client, message: str) -> Any:
    return (await acme.get(f"/app/acme/attempt/msg/{message}?status=0")).json["data"]
