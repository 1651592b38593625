"""The pages as the settings want them, and no room for anything else."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from webhook_engine import Engine
from webhook_engine.config.sections import PortalConfig
from webhook_engine.errors import ConfigError

CDN = "https://cdn.example.com"
EVERYTHING = {
    "name": 'Acme "Hooks" & <Co>',
    "logo": f"{CDN}/logo.svg?a=1&b=2",
    "favicon": "https://www.example.com/favicon.ico",
    "image_origins": ["https://img.example.com"],
    "primary_color": "#0F766E",
    "primary_color_dark": "#2dd4bf",
    "font": "Acme Sans",
    "font_url": f"{CDN}/sans.woff2",
    "theme": "dark",
    "home_url": "https://app.example.com/settings",
    "docs_url": "https://docs.example.com/webhooks",
}

Get = Callable[[str], AbstractAsyncContextManager[aiohttp.ClientResponse]]


@asynccontextmanager
async def served(database: Path, **settings: object) -> AsyncIterator[Get]:
    options = {f"portal__{key}": value for key, value in settings.items()}
    async with (
        Engine.open(database, **options) as engine,  # type: ignore[arg-type]
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession(server.url) as client,
    ):
        yield client.get


async def test_pages_carry_what_is_configured_escaped(tmp_path: Path) -> None:
    async with served(tmp_path / "engine.db", **EVERYTHING) as get:
        for path in ("/portal/", "/play/"):
            async with get(path) as answer:
                page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            assert '<html lang="en" data-theme="dark">' in page
            assert "<title>Acme &quot;Hooks&quot; &amp; &lt;Co&gt;</title>" in page
            assert '<link rel="icon" href="https://www.example.com/favicon.ico">' in page
            assert '<link rel="stylesheet" href="../portal/appearance.css">' in page
            told = json.loads(html.unescape(re.findall(r'name="appearance" content="([^"]*)"', page)[0]))
            assert told["name"] == EVERYTHING["name"]
            assert told["images"] == [CDN, "https://www.example.com", "https://img.example.com"]
            assert "{{" not in page
            assert f"img-src 'self' {CDN} https://www.example.com https://img.example.com;" in policy
            assert f"font-src {CDN};" in policy
            assert "style-src 'self';" in policy
        async with get("/portal/appearance.css") as answer:
            sheet = await answer.text()
        assert answer.content_type == "text/css"
        assert "--accent-fill: light-dark(#0f766e, #2dd4bf);" in sheet
        assert f'@font-face {{ font-family: "Acme Sans"; src: url("{CDN}/sans.woff2"); font-display: swap; }}' in sheet
        assert ':root { --text: "Acme Sans", system-ui' in sheet


async def test_without_settings_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    async with served(tmp_path / "engine.db") as get:
        async with get("/portal/") as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assert "img-src 'self';" in policy
        assert "font-src" not in policy
        assert "appearance.css" not in page
        assert "<title>Webhooks</title>" in page
        assert 'data-theme="auto"' in page


async def test_the_colours_of_a_link_are_made_here_and_nothing_else_is(tmp_path: Path) -> None:
    async with served(tmp_path / "engine.db") as get:
        async with get("/portal/accent/28bb93.css") as answer:
            assert "--accent-fill: light-dark(#28bb93, #28bb93);" in await answer.text()
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        for name in ("28bb9.css", "28bb93.css.css", "red.css", "28bb93", "28bb93%7D.css"):
            async with get(f"/portal/accent/{name}") as answer:
                assert answer.status == 404


async def test_other_pages_may_load_the_script_for_embedding_and_no_other(tmp_path: Path) -> None:
    async with served(tmp_path / "engine.db") as get:
        async with get("/portal/embed.js") as answer:
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.content_type == "text/javascript"
        async with get("/portal/static/portal.js") as answer:
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logo", "http://www.example.com/logo.svg"),
        ("logo", "data:image/svg+xml,<svg/>"),
        ("logo", "https://user@example.com/logo.svg"),
        ("favicon", "https://example.com/a;img-src *"),
        ("home_url", "javascript:alert(1)"),
        ("docs_url", 'https://example.com/"><script>'),
        ("font_url", 'https://example.com/a"); } body { display: none'),
        ("image_origins", ["https://*.example.com"]),
        ("image_origins", ["https://example.com/path"]),
        ("primary_color", "red"),
        ("primary_color", "#fff; } * { display: none"),
        ("font", 'Inter"; } * { display: none'),
        ("name", "two\nlines"),
        ("theme", "sepia"),
    ],
)
def test_what_could_become_something_else_is_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"portal.{key}"):
        PortalConfig(**{key: value})  # type: ignore[arg-type]


async def test_a_font_from_elsewhere_needs_no_name(tmp_path: Path) -> None:
    async with (
        served(tmp_path / "engine.db", font_url=f"{CDN}/sans.woff2") as get,
        get("/portal/appearance.css") as answer,
    ):
        assert ':root { --text: "Platform", ' in await answer.text()
