"""The address of the portal, and where there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webhook_engine import Engine, NotFoundError, PortalUnavailableError


async def test_an_engine_without_a_server_has_no_portal(tmp_path: Path) -> None:
    async with Engine.open(tmp_path / "engine.db") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        with pytest.raises(PortalUnavailableError, match="public_url"):
            await engine.portal.url("acme")
        async with engine.serve("127.0.0.1:0") as server:
            url = await engine.portal.url("acme")
            assert re.fullmatch(re.escape(server.url) + r"/portal/#key=[\w-]{40,}", url)
            with pytest.raises(NotFoundError):
                await engine.portal.url("nobody")
        with pytest.raises(PortalUnavailableError):
            await engine.portal.url("acme")


async def test_a_public_url_is_enough_for_a_link(tmp_path: Path) -> None:
    async with Engine.open(tmp_path / "engine.db", server__public_url="https://example.com/hooks") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        assert (await engine.portal.url("acme")).startswith("https://example.com/hooks/portal/#key=")
