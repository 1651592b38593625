"""The portal over HTTP: one page, its files, and the script with which other pages embed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from aiohttp import web

from webhook_engine.config.sections import PortalConfig
from webhook_engine.server.errors import ApiError
from webhook_engine.server.pages import Files, page_headers, sheet
from webhook_engine.server.portal.accent import accent_sheet
from webhook_engine.server.portal.appearance import Appearance

__all__ = ["PortalPages"]

_ACCENT = re.compile(r"([0-9a-f]{6})\.css").fullmatch
# Lets another page load it as a script, which embedding needs.
_FOR_OTHERS = {"Cross-Origin-Resource-Policy": "cross-origin"}


class PortalPages:
    """Everything under ``/portal``; only the pages of ``frame_ancestors`` may embed it in a frame.

    With ``page=False`` only the files are served, which Play's pages use too.
    """

    def __init__(self, config: PortalConfig, appearance: Appearance, *, page: bool = True) -> None:
        self._headers = page_headers(config.frame_ancestors, images=appearance.images, fonts=appearance.fonts)
        self._appearance = appearance
        self._page = page
        self._files = Files(files("webhook_engine.server.portal") / "static")

    async def __call__(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        """Answer one request; ``segments`` are those of the path after ``portal``."""
        match segments:
            case [] if self._page:
                return self._files.page(
                    request, "portal.html", self._headers, places=self._appearance.places("Webhooks")
                )
            case ["embed.js"] if self._page:
                return self._files.asset(request, "embed.js", _FOR_OTHERS)
            case ["appearance.css"]:
                return sheet(request, self._appearance.sheet)
            case ["accent", name] if found := _ACCENT(name):
                return sheet(request, accent_sheet(f"#{found[1]}"))
            case ["static", name]:
                return self._files.asset(request, name)
        raise ApiError(404, "not_found", "There is no such page.")
