"""Behind a reverse proxy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from api_clients import Client

from webhook_engine.server.proxies import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("1.2.3.4", None, "1.2.3.4"),
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("::ffff:10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        (None, "9.9.9.9", None),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str | None, forwarded: str | None, client: str | None) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


class TestPathInThePublicUrl:
    """The proxy may leave it in place, or take it off."""

    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"server__public_url": "https://example.com/hooks/here"}

    async def test_both_ways_lead_to_the_api(self, acme: Client) -> None:
        assert (await acme.get("/app/acme")).status == 200
        assert (await acme.get("//root/hooks/here/api/v1/app/acme")).status == 200
        assert (await acme.get("//root/hooks/api/v1/app/acme")).status == 404
        access = (await acme.post("/auth/app-portal-access/acme", {})).json
        assert access["url"].startswith("https://example.com/hooks/here/portal/#key=")
