"""Play over HTTP: ``POST /play/`` creates an inbox, ``/play/in/{token}/`` receives, ``/play/view/{token}`` shows it.

Anyone who knows the token of an inbox may see and change it; there is no other authentication.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import TypeVar

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from webhook_engine.errors import ValidationError
from webhook_engine.server.errors import ApiError
from webhook_engine.server.pages import Files, only, page_headers
from webhook_engine.server.play.inboxes import Inboxes, why_not_verified
from webhook_engine.server.play.responses import BODILESS
from webhook_engine.server.play.wire import (
    RequestsOut,
    ResponseIn,
    VerifyIn,
    VerifyOut,
    inbox_out,
    request_out,
    shared_out,
)
from webhook_engine.server.portal.appearance import Appearance
from webhook_engine.server.protocol import read_body
from webhook_engine.store.play import PlayInbox, PlayResponse

__all__ = ["PlayPages"]

T = TypeVar("T")

MAX_CONTROL_BODY = 512 * 1024
"""Bytes of a JSON request; a response body in it may have escaped characters."""

# The response of an inbox must never act as a page of this origin.
_INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PlayPages:
    """Everything under ``/play``. ``base_url`` is the server's base URL, without a trailing slash."""

    def __init__(self, inboxes: Inboxes, base_url: str, appearance: Appearance) -> None:
        self._inboxes = inboxes
        self._appearance = appearance
        self._headers = page_headers(images=appearance.images, fonts=appearance.fonts)
        self._base_url = base_url
        self._files = Files(files("webhook_engine.server.play") / "static")

    async def __call__(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        """Answer one request; ``segments`` are those of the path after ``play``."""
        match segments:
            case []:
                return await self._create() if request.method == "POST" else self._welcome(request)
            case ["in", token, *_]:
                return await self._receive(request, token)
            case ["static", name]:
                return self._files.asset(request, name)
            case ["view", token]:
                found = await self._inboxes.get(token)
                return self._page(request, "view.html", "Play: a temporary inbox", status=200 if found else 404)
            case ["shared", token]:
                shared = await self._inboxes.shared(token)
                return self._page(request, "view.html", "Play: an inbox", status=200 if shared else 404)
            case ["shared", token, "requests"]:
                return await self._shared(request, token)
            case ["inbox", token, "share"]:
                return await self._share(request, await self._found(token))
            case ["inbox", token]:
                return await self._inbox(request, await self._found(token))
            case ["inbox", token, "verify"]:
                only(request, "POST")
                return await self._verify(request, await self._found(token))
        raise ApiError(404, "not_found", "Play has no such page; POST /play/ makes an inbox.")

    def _welcome(self, request: web.BaseRequest) -> web.StreamResponse:
        return self._page(request, "welcome.html", "Play: try out webhooks")

    def _page(self, request: web.BaseRequest, name: str, title: str, status: int = 200) -> web.StreamResponse:
        places = self._appearance.places(title)
        return self._files.page(request, name, self._headers, status, places=places)

    async def _create(self) -> web.StreamResponse:
        return _json(201, inbox_out(await self._inboxes.create(), self._base_url))

    async def _inbox(self, request: web.BaseRequest, inbox: PlayInbox) -> web.StreamResponse:
        only(request, "GET", "HEAD", "PUT", "DELETE")
        if request.method == "PUT":
            return await self._set_response(request, inbox.token)
        if request.method == "DELETE":
            await self._inboxes.clear(inbox.token)
            return web.Response(status=204)
        requests = await self._inboxes.requests(inbox.token, request.query.get("after", ""))
        shown = RequestsOut(inbox=inbox_out(inbox, self._base_url), requests=[request_out(one) for one in requests])
        return _json(200, shown)

    async def _set_response(self, request: web.BaseRequest, token: str) -> web.StreamResponse:
        wanted = await _given(request, ResponseIn)
        try:
            inbox = await self._inboxes.set_response(token, wanted.response())
        except ValidationError as error:
            raise ApiError(422, "validation", str(error)) from None
        if inbox is None:
            raise _gone()
        return _json(200, inbox_out(inbox, self._base_url))

    async def _share(self, request: web.BaseRequest, inbox: PlayInbox) -> web.StreamResponse:
        only(request, "POST", "DELETE")
        changed = await self._inboxes.share(inbox, shared=request.method == "POST")
        if changed is None:
            raise _gone()
        return _json(200, inbox_out(changed, self._base_url))

    async def _shared(self, request: web.BaseRequest, view_token: str) -> web.StreamResponse:
        only(request, "GET", "HEAD")
        inbox = await self._inboxes.shared(view_token)
        if inbox is None:
            raise _gone()
        requests = await self._inboxes.requests(inbox.token, request.query.get("after", ""))
        return _json(200, shared_out(inbox, requests))

    async def _verify(self, request: web.BaseRequest, inbox: PlayInbox) -> web.StreamResponse:
        given = await _given(request, VerifyIn)
        requests = await self._inboxes.requests(inbox.token)
        try:
            problems = {one.id: why_not_verified(given.secret, one) for one in requests}
        except ValidationError as error:
            raise ApiError(422, "validation", str(error)) from None
        return _json(200, VerifyOut(problems=problems))

    async def _receive(self, request: web.BaseRequest, token: str) -> web.StreamResponse:
        body = await read_body(request, self._inboxes.max_body)
        headers = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in request.raw_headers]
        inbox = await self._inboxes.receive(token, request.method, request.raw_path, headers, body)
        if inbox is None:
            raise _gone()
        if inbox.response.delay_ms:
            await asyncio.sleep(inbox.response.delay_ms / 1_000)
        return _answered(inbox.response)

    async def _found(self, token: str) -> PlayInbox:
        inbox = await self._inboxes.get(token)
        if inbox is None:
            raise _gone()
        return inbox


def _answered(response: PlayResponse) -> web.Response:
    failing = response.failures_left > 0
    status = response.fail_status if failing else response.status
    if status in BODILESS:
        return web.Response(status=status, headers=_INERT)
    text = "ok\n" if status < 300 else f"Play answers {status}, as was chosen on its page\n"
    if failing:
        return web.Response(status=status, text=text, headers=_INERT)
    own = CIMultiDict(response.headers)
    kind = own.get("Content-Type", "text/plain; charset=utf-8")
    own.popall("Content-Type", None)
    body = text if response.body is None else response.body
    headers = CIMultiDict({**_INERT, "Content-Type": kind})
    headers.extend(own)
    return web.Response(status=status, body=body.encode("utf-8", "replace"), headers=headers)


async def _given(request: web.BaseRequest, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await read_body(request, MAX_CONTROL_BODY), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(422, "validation", str(error)) from None


def _json(status: int, value: object) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    body = msgspec.json.encode(value)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _gone() -> ApiError:
    return ApiError(404, "not_found", "There is no such inbox, or it has expired; POST /play/ makes a new one.")
