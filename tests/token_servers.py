"""Servers that give tokens, and what an endpoint is told of them."""

from __future__ import annotations

import json

from receivers import Receiver, Reply, Request

__all__ = ["BASIC", "BEARER", "TokenServer", "oauth2"]

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
