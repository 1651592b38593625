"""The portal over HTTP: one page, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from aiohttp import web

from webhook_engine.server.errors import ApiError
from webhook_engine.server.pages import Files, page_headers

__all__ = ["PortalPages"]


class PortalPages:
    """Everything under ``/portal``; only the pages of ``frame_ancestors`` may show it in a frame.

    With ``page=False`` only the files are served, which Play's pages use too.
    """

    def __init__(self, frame_ancestors: Sequence[str], *, page: bool = True) -> None:
        self._headers = page_headers(frame_ancestors)
        self._page = page
        self._files = Files(files("webhook_engine.server.portal") / "static")

    async def __call__(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        """Answer one request; ``segments`` are those of the path after ``portal``."""
        match segments:
            case [] if self._page:
                return self._files.page(request, "portal.html", self._headers)
            case ["static", name]:
                return self._files.asset(request, name)
        raise ApiError(404, "not_found", "There is no such page.")
