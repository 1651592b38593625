"""The application: takes every request to the server, and returns its response.

It does not use aiohttp's own application and router: the API has its own table of routes, and finding a route in it
costs the same whether there are ten or a hundred.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from aiohttp import web
from multidict import CIMultiDict

from webhook_engine.errors import WebhookEngineError
from webhook_engine.log import get_logger
from webhook_engine.server.api.live import STREAM
from webhook_engine.server.api.route import Response, Route
from webhook_engine.server.api.routes import PREFIX, ROUTES, RouteTree
from webhook_engine.server.api.unavailable import not_allowed, not_found
from webhook_engine.server.auth import Principal
from webhook_engine.server.context import Context
from webhook_engine.server.errors import ApiError, as_api_error
from webhook_engine.server.idempotency import Idempotency, request_digest
from webhook_engine.server.incoming import AiohttpIncoming, Incoming, PlainIncoming
from webhook_engine.server.outgoing import LARGE, Outgoing
from webhook_engine.server.plain_request import PlainRequest
from webhook_engine.server.protocol import Connection
from webhook_engine.server.whole_response import WholeResponses

__all__ = ["App", "Page"]

MAX_CONCURRENT = 4096
"""API requests handled at once; further ones get 503 and may be retried."""
LONGEST_KEY = 1024
PLACES = 4096
"""Paths whose routes are cached."""
LONGEST_PLACE = 512
EVENT_STREAM = "text/event-stream"

Page = Callable[[web.BaseRequest, Sequence[str]], Awaitable[web.StreamResponse]]
"""Serves a path outside the API: gets the request and the path segments after its prefix."""

log = get_logger("server")

_API = tuple(PREFIX.strip("/").split("/"))
_DOCUMENT = ["openapi.json"]
_EMPTY = CIMultiDict({"server": "webhook-engine", "access-control-allow-origin": "*"})
_JSON = CIMultiDict({"content-type": "application/json", **_EMPTY})
_INTERNAL_ERROR = Response(500, b"{}")


class _Place(NamedTuple):
    """Where a path leads."""

    segments: Sequence[str]
    """In the API, the segments after its prefix."""
    routes: Mapping[str, Route[Any, Any]] | None
    """``None`` outside the API."""
    values: Sequence[str]


class App:
    """The API, and the pages served beside it."""

    def __init__(
        self,
        context: Context,
        idempotency: Idempotency,
        *,
        max_body: int,
        pages: Mapping[str, Page],
        document: Callable[[], bytes] | None,
    ) -> None:
        """``pages`` by the first segment of their paths; ``""`` is the page at the root.

        ``document`` builds the OpenAPI document when it is first requested; without it the API is not served.
        """
        self._context = context
        self._tracing = context.engine.tracing
        self._trusted_proxies = context.engine.config.server.trusted_proxies
        self._idempotency = idempotency
        self._max_body = max_body
        self._pages = pages
        self._tree = RouteTree(() if document is None else ROUTES)
        self._document = document
        self._running = 0
        self._outgoing = Outgoing()
        self._whole = WholeResponses(_JSON, lambda: context.services.clock.now() // 1_000_000)
        # A reverse proxy in front may leave the path of the public URL in place, or take it off.
        self._prefix = [part for part in urlsplit(context.public_url).path.split("/") if part]
        # Clients request the same few paths again and again.
        self._locate = lru_cache(PLACES)(self._placed)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        target = request.raw_path
        if not target.startswith("/"):
            target = request.rel_url.raw_path_qs
        path, _, query = target.partition("?")
        place = self._located(path)
        if place.routes is None:
            return await self._page(request, place.segments)
        if request.method == "OPTIONS":
            return _preflight(request)
        response = await self._answer(AiohttpIncoming(request, self._trusted_proxies), place, path, query)
        if request.method == "GET" and response.status == 200 and _streams(place):
            return await self._stream(request, place)
        if len(response.body) >= LARGE and request.method != "HEAD":
            return await self._outgoing.send(request, response.status, response.body, _headers(response))
        if response.body and not response.headers:
            whole = self._whole.of(request, response.status, response.body)
            if whole is not None:
                return whole
        return _response(response)

    async def _stream(self, request: web.BaseRequest, place: _Place) -> web.StreamResponse:
        """Check that the client may subscribe, and serve the stream of changes."""
        authorization = request.headers.get("authorization")

        def check() -> Principal:
            return self._context.authenticator.principal(authorization)

        try:
            if EVENT_STREAM not in request.headers.get("accept", ""):
                # A generic client that calls every route must not hang on a stream, which has no end.
                raise ApiError(406, "not_acceptable", f"This is a stream: ask for it with `accept: {EVENT_STREAM}`.")
            principal = check()
            application = await principal.organization.applications.get(place.values[0])
            return await self._context.live.serve(request, application.id, principal, check)
        except ApiError as error:
            return _response(_failure(error))
        except WebhookEngineError as error:
            return _response(_failure(as_api_error(error) or ApiError(500, "internal", "Internal error")))

    def plain(self, request: PlainRequest, connection: Connection) -> Coroutine[Any, Any, bytes] | None:
        """Answer a plain request for a hot route, as the bytes to send; ``None`` for any other request."""
        path, _, query = request.target.partition("?")
        place = self._located(path)
        route = (place.routes or {}).get(request.method)
        if route is None or not route.hot:
            return None
        return self._plain(PlainIncoming(request, connection, self._trusted_proxies), place, path, query)

    async def _plain(self, incoming: Incoming, place: _Place, path: str, query: str) -> bytes:
        response = await self._answer(incoming, place, path, query)
        return self._whole.whole(response.status, response.body, response.headers)

    async def _answer(self, incoming: Incoming, place: _Place, path: str, query: str) -> Response:
        """Return the API's response, which may be an error."""
        try:
            return await self._api(incoming, place, path, query)
        except ApiError as error:
            return _failure(error)
        except WebhookEngineError as error:
            known = as_api_error(error)
            if known is None or known.status >= 500:
                _log_failure(incoming, path, error, with_traceback=known is None)
            return _INTERNAL_ERROR if known is None else _failure(known)
        except Exception as error:  # noqa: BLE001 (the client gets a response to any error)
            _log_failure(incoming, path, error, with_traceback=True)
            return _INTERNAL_ERROR

    def _located(self, path: str) -> _Place:
        return self._locate(path) if len(path) <= LONGEST_PLACE else self._placed(path)

    def _placed(self, path: str) -> _Place:
        # Trailing and repeated slashes are ignored.
        segments = [unquote(part) if "%" in part else part for part in path.split("/") if part]
        if self._prefix and segments[: len(self._prefix)] == self._prefix:
            below = segments[len(self._prefix) :]
            # A proxy may already have removed a public URL's /api, so a remaining /api is the API's own.
            if tuple(segments[:2]) != _API or tuple(below[:2]) == _API:
                segments = below
        if tuple(segments[:2]) != _API:
            return _Place(segments, None, ())
        return _Place(segments[2:], *self._tree.find(segments[2:]))

    async def _api(self, incoming: Incoming, place: _Place, path: str, query: str) -> Response:
        segments, routes, values = place.segments, place.routes or {}, place.values
        method = incoming.method
        if self._document is not None and segments == _DOCUMENT and method in ("GET", "HEAD"):
            return Response(200, self._document())
        route = routes.get(method) or (routes.get("GET") if method == "HEAD" else None)
        if route is None or self._running >= MAX_CONCURRENT:
            await incoming.drain(self._max_body)
            if not routes:
                raise not_found(segments)
            if route is None:
                raise not_allowed(tuple(routes))
            raise ApiError(503, "overloaded", "Too many requests at once; try again soon.", retry_after_s=1)
        self._running += 1
        try:
            return await self._run(route, incoming, dict(zip(route.parameters, values, strict=True)), path, query)
        finally:
            self._running -= 1

    async def _run(
        self, route: Route[Any, Any], incoming: Incoming, parameters: Mapping[str, str], path: str, query: str
    ) -> Response:
        headers = incoming.headers
        if self._tracing is not None:
            self._tracing.continue_from(headers)
        body = b""
        if route.method != "GET":
            body = await incoming.body(self._max_body)
            if "content-encoding" in headers and headers["content-encoding"].lower() != "identity":
                raise ApiError(415, "unsupported_encoding", "Request bodies must not be compressed.")
        authorization = headers.get("authorization")
        key = headers.get("idempotency-key") if route.method == "POST" else None
        work = partial(route.run, self._context, parameters, query, authorization, body, incoming)
        if route.lists:
            async with self._outgoing.place():
                return await work()
        if not key or authorization is None:
            return await work()
        if len(key) > LONGEST_KEY:
            raise ApiError(400, "generic_error", f"An idempotency key may have at most {LONGEST_KEY} characters.")
        # A client whose token was revoked or whose application was deleted must not get kept responses either.
        await route.check_token(self._context.authenticator.principal(authorization), self._context)
        digest = request_digest(authorization, key, f"{path.rstrip('/')}?{query}")
        return await self._idempotency.run(digest, body, work)

    async def _page(self, request: web.BaseRequest, segments: Sequence[str]) -> web.StreamResponse:
        page = self._pages.get(segments[0] if segments else "")
        try:
            if page is None:
                await AiohttpIncoming(request, self._trusted_proxies).drain(self._max_body)
                raise not_found(segments)
            return await page(request, segments[1:])
        except ApiError as error:
            return _response(_failure(error))
        except WebhookEngineError as error:
            return _response(_failure(as_api_error(error) or ApiError(500, "internal", "Internal error")))


def _streams(place: _Place) -> bool:
    route = (place.routes or {}).get("GET")
    return route is not None and route.operation == STREAM


def _log_failure(incoming: Incoming, path: str, error: Exception, *, with_traceback: bool) -> None:
    log.error(
        "request.failed",
        method=incoming.method,
        path=path,
        client=incoming.address(),
        error=repr(error),
        exc_info=error if with_traceback else None,
    )


def _failure(error: ApiError) -> Response:
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    return Response(error.status, error.body, headers)


def _response(response: Response) -> web.Response:
    return web.Response(status=response.status, body=response.body or None, headers=_headers(response))


def _headers(response: Response) -> CIMultiDict[str]:
    headers = _JSON if response.body else _EMPTY
    return CIMultiDict({**headers, **response.headers}) if response.headers else headers


def _preflight(request: web.BaseRequest) -> web.Response:
    """Answer a CORS preflight request. Any origin may call the API, since every call needs a token."""
    return web.Response(
        headers={
            "access-control-allow-origin": "*",
            "access-control-allow-methods": "*",
            "access-control-allow-headers": request.headers.get("access-control-request-headers", "*"),
            "access-control-max-age": "600",
            "vary": "access-control-request-headers",
        }
    )
