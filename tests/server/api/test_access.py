"""The link that makes a token of the portal."""

from __future__ import annotations

import jwt
from api_clients import JWT_SECRET, Client


async def test_a_link_to_the_portal_opens_once(acme: Client) -> None:
    wanted = {"featureFlags": ["beta"], "capabilities": ["ViewBase"], "sessionId": "s"}
    access = (await acme.post("/auth/app-portal-access/acme", wanted)).json
    key = access["url"].partition("#key=")[2]
    opened = await acme.with_token(None).post("/auth/portal-session", {"key": key})
    assert opened.status == 200
    visitor = acme.with_token(opened.json["token"])
    assert (await visitor.get("/app/acme")).status == 200
    assert (await visitor.post("/app/acme/endpoint", {"url": "http://e.com"})).status == 403
    again = await acme.with_token(None).post("/auth/portal-session", {"key": key})
    assert again.status == 401
    claims = jwt.decode(opened.json["token"], JWT_SECRET, algorithms=["HS256"])
    assert (claims["feature_flags"], claims["capabilities"], claims["session_id"]) == (["beta"], ["ViewBase"], "s")
