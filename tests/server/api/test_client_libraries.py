"""A rotation answers each client library with what it can read."""

from __future__ import annotations

import pytest
from api_clients import Client

from webhook_engine.server.api.client_libraries import reads_rotated_key

WITHOUT = [
    "svix-libs/1.99.1/java jre/17.0.1 linux/amd64",
    "svix-libs/2.5.0/java",
    "svix-libs/1.98.0/kotlin kotlin/2.1.0",
    "svix-libs/2.9.1/kotlin",
    "svix-libs/1.90.0/csharp",
    "svix-libs/2.9.1/csharp dotnet/8.0",
    "svix-libs/3.0.0/CSharp",
    "svix-libs/1.99.1/python",
    "svix-libs/1.99.1/javascript node/v20",
    "svix-libs/1.44.0/go",
    "svix-libs/1.99.0/rust",
    "svix-libs/1.5.1/ruby",
    "svix-libs/v1.5.1/php",
    "svix-libs/1.0.0-alpha.1/python",
    "svix-libs/99999999999999999999/java",
]
WITH = [
    "svix-libs/2.0.0/python python/3.11 Linux/x86_64",
    "svix-libs/2.9.1/python",
    "svix-libs/2.5.0/javascript node/v22.1.0 linux/x64",
    "svix-libs/2.9.1/rust rust/1.88 linux/x86_64",
    "svix-libs/2.9.1/go go/go1.24",
    "svix-libs/2.9.1/ruby",
    "svix-libs/2.9.1/php",
    "svix-libs/10.0.0/python",
    "svix-libs/2.0.0-beta.1/python",
    "",
    "curl/8.5.0",
    "Mozilla/5.0",
    "webhook-engine/1.0",
    "svix-libs/x/java",
    "svix-libs//java",
]


@pytest.mark.parametrize("user_agent", WITHOUT)
def test_who_throws_on_a_body_gets_none(user_agent: str) -> None:
    assert not reads_rotated_key(user_agent)


@pytest.mark.parametrize("user_agent", WITH)
def test_everybody_else_gets_the_key(user_agent: str) -> None:
    assert reads_rotated_key(user_agent)


@pytest.mark.parametrize("path", ["/app/acme/endpoint/e", "/operational-webhook/endpoint/e"])
async def test_a_rotation_over_http(acme: Client, path: str) -> None:
    collection = path.removesuffix("/e")
    assert (await acme.post(collection, {"url": "https://example.com", "uid": "e"})).status == 201
    for user_agent in (WITHOUT[0], WITH[1], "", WITHOUT[4]):
        before = (await acme.get(f"{path}/secret")).json["key"]
        headers = {"user-agent": user_agent, "idempotency-key": f"rotate {user_agent}"}
        rotated = await acme.post(f"{path}/secret/rotate", {}, headers=headers)
        after = (await acme.get(f"{path}/secret")).json["key"]
        assert after != before
        if reads_rotated_key(user_agent):
            assert (rotated.status, rotated.json) == (200, {"key": after})
        else:
            assert (rotated.status, rotated.text) == (204, "")
            assert "content-type" not in rotated.headers
        again = await acme.post(f"{path}/secret/rotate", {}, headers=headers)
        assert (again.status, again.text) == (rotated.status, rotated.text)
        assert (await acme.get(f"{path}/secret")).json["key"] == after
