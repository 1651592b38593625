"""The receiver of the demo: a web server, as a consumer would run it, that verifies its webhooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from aiohttp import web

from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError

__all__ = ["Receiver", "Request"]


class Request(NamedTuple):
    """A webhook that arrived, and how it was answered."""

    path: str
    message_id: str
    payload: JsonValue
    problem: str | None
    """Why it is not authentic; ``None`` if it is."""
    status: int


class _Path:
    """A path of the server: verifies a request, then returns the next of its status codes; the last one repeats."""

    def __init__(self, secret: str, statuses: Sequence[int]) -> None:
        self._webhook = Webhook(secret)
        self._statuses = list(statuses)

    def receive(self, path: str, body: bytes, request: web.Request) -> Request:
        message_id = request.headers.get("webhook-id", "")
        try:
            payload = self._webhook.verify(body, request.headers)
        except WebhookVerificationError as problem:
            return Request(path, message_id, None, str(problem), 400)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return Request(path, message_id, payload, None, status)


class Receiver:
    """A web server on a free port of the loopback interface; calls ``on_request`` for each request."""

    def __init__(self, on_request: Callable[[Request], None]) -> None:
        self.url = ""
        self._on_request = on_request
        self._paths: dict[str, _Path] = {}
        application = web.Application()
        application.router.add_post("/{name}", self._receive)
        self._runner = web.AppRunner(application, access_log=None)

    def expect(self, path: str, secret: str, statuses: Sequence[int]) -> None:
        """Receive webhooks at ``path``, signed with ``secret``."""
        self._paths[path] = _Path(secret, statuses)

    async def __aenter__(self) -> Receiver:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        path = self._paths.get(request.path)
        if path is None:
            return web.Response(status=404)
        received = path.receive(request.path, await request.read(), request)
        self._on_request(received)
        return web.Response(status=received.status)
