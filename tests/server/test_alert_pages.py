"""The links in letters: opening one asks, and only the button does it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from engines import local_engine
from mailboxes import Mailbox

from webhook_engine import Engine
from webhook_engine.delivery.mail.links import letter_links


async def links_of(engine: Engine, base: str) -> tuple[str, str, str]:
    """An alert that was not confirmed yet; its id and the links in its letters."""
    await engine.applications.create(name="Acme", uid="acme")
    alert = await engine.alerts.create("acme", kind="email", to="ops@example.com", confirmed=False)
    holder = (await engine.organization(engine.config.alerts.organization).applications.list()).data[0]
    links = letter_links(engine.services.cipher, base, holder.id, alert.id)
    assert links.confirm is not None
    assert links.unsubscribe is not None
    return alert.id, links.confirm, links.unsubscribe


async def test_a_link_asks_and_the_button_does_it(tmp_path: Path) -> None:
    async with (
        Mailbox() as mailbox,
        local_engine(tmp_path / "e.db", **mailbox.settings) as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as client,
    ):
        alert_id, confirm, unsubscribe = await links_of(engine, server.url)
        async with client.get(confirm) as response:
            assert response.status == 200
            assert '<form method="post">' in await response.text()
            assert "form-action 'self'" in response.headers["content-security-policy"]
            assert response.headers["cache-control"] == "no-store"
        assert not (await engine.alerts.get("acme", alert_id)).active
        async with client.post(confirm) as response:
            assert response.status == 200
        assert (await engine.alerts.get("acme", alert_id)).active
        async with client.get(unsubscribe) as response:
            assert response.status == 200
        assert len(await engine.alerts.list("acme")) == 1
        # As a mail program does it by itself, RFC 8058.
        async with client.post(unsubscribe, data={"List-Unsubscribe": "One-Click"}) as response:
            assert response.status == 200
        assert await engine.alerts.list("acme") == ()
        async with client.post(confirm) as response:
            assert response.status == 404


@pytest.mark.parametrize("path", ["alerts", "alerts/confirm", "alerts/other/x", "alerts/confirm/x/y"])
async def test_what_is_no_link_is_not_there(tmp_path: Path, path: str) -> None:
    async with (
        local_engine(tmp_path / "e.db") as engine,
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as client,
        client.post(f"{server.url}/{path}") as response,
    ):
        assert response.status == 404
