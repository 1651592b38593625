"""Who gets the page of metrics, and when there is none."""

from __future__ import annotations

import aiohttp
import pytest

from webhook_engine.server.listener import Server


async def test_it_needs_no_token_and_takes_only_get(server: Server, session: aiohttp.ClientSession) -> None:
    for method, path, status in (("HEAD", "/metrics", 200), ("POST", "/metrics", 405), ("GET", "/metrics/more", 404)):
        async with session.request(method, f"{server.url}{path}") as response:
            assert response.status == status
    accepted = {"accept": "application/openmetrics-text; version=1.0.0"}
    async with session.get(f"{server.url}/metrics", headers=accepted) as response:
        assert (await response.text()).endswith("# EOF\n")


class TestSwitchedOff:
    """There is none."""

    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"server__metrics": False}

    async def test_it_is_not_there(self, server: Server, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{server.url}/metrics") as response:
            assert response.status == 404
