"""Access tokens by client credentials, from real token servers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import receivers
from delivery.http.sending import NOTHING_PRIVATE, make_sender
from receivers import Receiver, Reply, Request

from webhook_engine import ManualClock
from webhook_engine.delivery.attempt.access_tokens import UNTRIED_S, AccessToken, AccessTokens, TokenClient, token_of
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender


def client_of(url: str, **changes: Any) -> TokenClient:
    stored = {"type": "oauth2", "token_url": url, "client_id": "acme corp", "client_secret": "s3:cret"}
    client = TokenClient.of("ep_1", "app_1", {**stored, **changes.pop("stored", {})}, "Webhook-Engine/1")
    return msgspec.structs.replace(client, **changes)


class TokenServer:
    """Gives a new token each time: ``token-1`` and so on."""

    def __init__(self, **said: object) -> None:
        self.said = said
        self.count = 0

    def __call__(self, _request: Request) -> Reply:
        self.count += 1
        said = {"access_token": f"token-{self.count}", "token_type": "Bearer", "expires_in": 600, **self.said}
        return Reply(200, json.dumps(said).encode())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def make(clock: ManualClock) -> AsyncIterator[Callable[[Sender], AccessTokens]]:
    made: list[AccessTokens] = []

    def make(sender: Sender) -> AccessTokens:
        made.append(AccessTokens(sender, clock))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_what_is_asked_follows_the_standard(make: Callable[[Sender], AccessTokens]) -> None:
    async with Receiver(TokenServer()) as server, make_sender() as sender:
        tokens = make(sender)
        await tokens.get(client_of(server.url, stored={"scope": "hooks:write other"}))
        await tokens.get(client_of(server.url, stored={"client_authentication": "body"}))
    in_header, in_body = server.requests
    assert in_header.method == "POST"
    assert in_header.headers["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(in_header.headers["authorization"].removeprefix("Basic ")) == b"acme+corp:s3%3Acret"
    assert parse_qs(in_header.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["hooks:write other"],
    }
    assert "authorization" not in in_body.headers
    assert parse_qs(in_body.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["acme corp"],
        "client_secret": ["s3:cret"],
    }


async def test_one_request_serves_all_that_wait_and_the_token_is_kept(make: Callable[[Sender], AccessTokens]) -> None:
    async with Receiver(TokenServer()) as server, make_sender() as sender:
        tokens, client = make(sender), client_of(server.url)
        got = await asyncio.gather(*(tokens.get(client) for _ in range(20)))
        assert set(got) == {"token-1"}
        assert await tokens.get(client_of(server.url)) == "token-1"
        assert await tokens.get(client_of(server.url, endpoint_id="ep_2")) == "token-2"
    assert len(server.requests) == 2


async def test_who_waits_may_be_cancelled_and_the_others_have_the_token_all_the_same(
    make: Callable[[Sender], AccessTokens],
) -> None:
    async with Receiver(TokenServer()) as server, make_sender() as sender:
        tokens, client = make(sender), client_of(server.url)
        first, second = (asyncio.ensure_future(tokens.get(client)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "token-1"
    assert first.cancelled()
    assert len(server.requests) == 1


@pytest.mark.parametrize(("life", "renewed_after"), [(3600, 3540), ("600", 540), (10, 9), (None, 270), ("x", 270)])
async def test_a_token_is_renewed_before_its_end(
    make: Callable[[Sender], AccessTokens], clock: ManualClock, life: object, renewed_after: float
) -> None:
    async with Receiver(TokenServer(expires_in=life)) as server, make_sender(clock=clock) as sender:
        tokens, client = make(sender), client_of(server.url)
        await tokens.get(client)
        clock.advance(renewed_after - 0.5)
        assert await tokens.get(client) == "token-1"
        clock.advance(0.5)
        assert await tokens.get(client) == "token-2"


async def test_a_token_that_a_receiver_took_before_is_worth_renewing_after_a_refusal(
    make: Callable[[Sender], AccessTokens], clock: ManualClock
) -> None:
    async with Receiver(TokenServer()) as server, make_sender(clock=clock) as sender:
        tokens, client = make(sender), client_of(server.url)
        first = str(await tokens.get(client))
        assert not tokens.refused(client, first)
        clock.advance(UNTRIED_S)
        assert tokens.refused(client, first)
        second = str(await tokens.get(client))
        tokens.taken(client, second)
        assert tokens.refused(client, second)
        assert tokens.refused(client, first), "it was renewed meanwhile"
        assert await tokens.get(client) == "token-3"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(400, b'{"error": "invalid_client", "error_description": "no such client s3:cret"}'),
            "no access token: the token server answered 400 (invalid_client: no such client *****)",
        ),
        (Reply(503, b"<html>"), "no access token: the token server answered 503"),
        (Reply(302, b"", {"Location": "/elsewhere"}), "no access token: the token server answered 302"),
        (Reply(200, b"no JSON"), "without an access_token"),
        (Reply(200, b"[" * 10_000), "without an access_token"),
        (Reply(200, b'{"access_token": ""}'), "without an access_token"),
        (Reply(200, b'{"access_token": "a\\r\\nx: b"}'), "without an access_token"),
        (Reply(200, b'{"access_token": 7}'), "without an access_token"),
        (Reply(200, json.dumps({"access_token": "x" * 20_000}).encode()), "without an access_token"),
        (Reply(200, json.dumps({"access_token": "x", "more": "x" * 100_000}).encode()), "without an access_token"),
        (Reply(200, b'{"access_token": "x", "token_type": "mac"}'), "of another type"),
    ],
)
async def test_a_failure_is_that_of_the_attempt_and_the_next_asks_again(
    make: Callable[[Sender], AccessTokens], reply: Reply, words: str
) -> None:
    async with Receiver([reply, Reply(200, b'{"access_token": "good"}')]) as server, make_sender() as sender:
        tokens, client = make(sender), client_of(server.url)
        failed = await tokens.get(client)
        assert isinstance(failed, Response)
        assert (failed.status_code, failed.failure, failed.sent) == (0, FailureKind.AUTHENTICATION, False)
        assert words in failed.text
        assert "s3:cret" not in failed.text
        assert await tokens.get(client) == "good"


async def test_a_token_server_that_hangs_takes_no_longer_than_a_receiver_may(
    make: Callable[[Sender], AccessTokens],
) -> None:
    async with receivers.hanging() as server, make_sender(timeout_s=0.2) as sender:
        tokens, client = make(sender), client_of(server.url)
        failed = await asyncio.gather(*(tokens.get(client) for _ in range(5)))
    assert all(isinstance(one, Response) and one.timed_out for one in failed)
    assert len(server.requests) == 1


async def test_a_token_server_is_guarded_as_receivers_are(make: Callable[[Sender], AccessTokens]) -> None:
    async with Receiver() as server, make_sender(guard=NOTHING_PRIVATE) as sender:
        failed = await make(sender).get(client_of(server.url))
        assert server.connections == 0
    assert isinstance(failed, Response)
    assert "requests to this IP range are blocked" in failed.text


async def test_a_token_may_be_larger_than_what_is_kept_of_responses(make: Callable[[Sender], AccessTokens]) -> None:
    token = "x" * 16_000
    async with Receiver(TokenServer(access_token=token)) as server, make_sender(response_limit=0) as sender:
        assert await make(sender).get(client_of(server.url)) == token


def test_what_the_engine_itself_lacks_is_nobodys_failure() -> None:
    own = Response(0, "no descriptor", FailureKind.OWN, 0)
    assert token_of(client_of("http://x/"), own) is own


@pytest.mark.parametrize(("life", "seconds"), [(1e308, 2_592_000), (10**400, 300), (-1, 0), (True, 300), ([], 300)])
def test_no_life_is_too_odd(life: object, seconds: float) -> None:
    text = json.dumps({"access_token": "x", "expires_in": life})
    assert token_of(client_of("http://x/"), Response(200, text, None, 1)) == AccessToken("x", seconds)
