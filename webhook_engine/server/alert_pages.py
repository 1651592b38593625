"""The pages behind the links in e-mails: each asks for confirmation with one button and acts when it is pressed.

Opening a link changes nothing, since mail programs open links to inspect them. The button's POST is also what mail
programs send by themselves for one-click unsubscribing (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from aiohttp import web

from webhook_engine.resources.alerts import AlertLinks
from webhook_engine.server.errors import ApiError
from webhook_engine.server.pages import only, page_headers

__all__ = ["AlertPages"]

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<main>
<h1>{title}</h1>
<p>{text}</p>
{form}</main>
</html>
"""
_FORM = '<form method="post"><button>{button}</button></form>\n'
_HEADERS = {name: value.replace("form-action 'none'", "form-action 'self'") for name, value in page_headers().items()}

_ASKED = {
    "confirm": ("Get alerts about webhooks at this address?", "You can stop them at any time.", "Yes, send me alerts"),
    "unsubscribe": ("Stop alerts at this address?", "Nothing more is sent to it then.", "Stop them"),
}
_DONE = {
    "confirm": ("This address gets alerts now", "Each of them has a link that stops them."),
    "unsubscribe": ("This address gets no more alerts", "You can close this page."),
}
_UNKNOWN = ("This link is of no use", "It is not complete, or what it was about is not there any more.")


class AlertPages:
    """Everything under ``/alerts``."""

    def __init__(self, links: AlertLinks) -> None:
        self._does = {"confirm": links.confirm, "unsubscribe": links.unsubscribe}

    async def __call__(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        """Answer one request; ``segments`` are those of the path after ``alerts``."""
        match segments:
            case [purpose, key] if purpose in self._does:
                only(request, "GET", "HEAD", "POST")
                if request.method != "POST":
                    title, text, button = _ASKED[purpose]
                    return _page(200, title, text, _FORM.format(button=button))
                if await self._does[purpose](key):
                    return _page(200, *_DONE[purpose])
                return _page(404, *_UNKNOWN)
        raise ApiError(404, "not_found", "There is no such page.")


def _page(status: int, title: str, text: str, form: str = "") -> web.Response:
    body = _PAGE.format(title=escape(title), text=escape(text), form=form)
    return web.Response(status=status, text=body, content_type="text/html", charset="utf-8", headers=_HEADERS)
