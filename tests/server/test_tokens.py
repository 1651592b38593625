"""Tokens: whose keys they are good by, when, and the link that makes one."""

from __future__ import annotations

import time

import jwt
import pytest
from api_clients import Client, Tokens
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from webhook_engine.model import DEFAULT_ORGANIZATION


async def test_clocks_may_be_a_quarter_of_an_hour_apart(api: Client, tokens: Tokens) -> None:
    now = int(time.time())
    assert (await api.with_token(tokens.organization(exp=now - 800)).get("/app")).status == 200
    assert (await api.with_token(tokens.organization(iat=now + 800, nbf=now)).get("/app")).status == 200
    assert (await api.with_token(tokens.organization(iat=None, exp=None, nbf=None)).get("/app")).status == 200


_PRIVATE = Ed25519PrivateKey.generate()


class TestTokensMadeElsewhere:
    """With a public key, tokens can be checked and not made."""

    @pytest.fixture
    def settings(self) -> dict[str, object]:
        public = _PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {"auth__jwt_algorithm": "EdDSA", "auth__jwt_public_key": public, "auth__jwt_secret": None}

    async def test_they_are_accepted_and_shared_secrets_are_not(self, api: Client) -> None:
        token = jwt.encode({"sub": DEFAULT_ORGANIZATION}, _PRIVATE, algorithm="EdDSA")
        mine = api.with_token(token)
        assert (await mine.post("/app", {"name": "x", "uid": "acme"})).status == 201
        assert (await api.get("/app")).status == 401
        assert (await mine.post("/auth/app-portal-access/acme", {})).json["code"] == "not_configured"
