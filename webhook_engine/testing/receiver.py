"""A receiver of webhooks for tests: records requests, verifies them, and responds as the test says."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Self

from multidict import CIMultiDict

from webhook_engine.clock import Clock
from webhook_engine.secrets.signing import JsonValue, Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from webhook_engine.engine import Engine

__all__ = ["Behaviour", "Receiver", "Reply", "Request", "Script", "Secrets"]

SHOWN_CHARACTERS = 200
"""Characters of a body shown in the text of a failed assertion."""


@dataclass(frozen=True)
class Request:
    """A received request."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes
    raw: bytes
    """All bytes, with header names in their original case."""
    connection: int
    """The number of the connection that it came over, from 1."""
    problem: WebhookVerificationError | None = None
    """Why the signature is wrong; ``None`` if it is right, or if no secret is known to verify it with."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def message_id(self) -> str | None:
        """The id of the message, the same in each of its attempts."""
        return self.headers.get("webhook-id") or self.headers.get("svix-id")

    @property
    def payload(self) -> JsonValue:
        """The body, read as JSON."""
        value: JsonValue = json.loads(self.body)
        return value


@dataclass(frozen=True)
class Reply:
    """A response to send."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds to wait before the response."""
    close: bool = False
    """Close the connection afterwards, without a ``connection: close`` header."""

    def encoded(self) -> bytes:
        """The bytes of the response."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers.items())]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


Answering = Callable[[Request], "int | Reply | Awaitable[int | Reply]"]
Script = int | Reply | Sequence[int | Reply] | Answering
"""A status; a whole response; several, used in turn, of which the last one stays; or a function of the request."""
Behaviour = Callable[["Receiver", Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool | None]]
"""Responds to one request by hand; returns whether the connection goes on to the next."""
Secrets = Collection[str] | Callable[[], Awaitable[Collection[str]]]
"""The secrets to verify with, or a function that returns them when a request comes."""


class Receiver:
    """Listens on a port of its own, records webhooks as ``requests``, and responds 200 unless told otherwise.

    ``async with Receiver() as receiver`` runs it in the event loop of the test; ``with Receiver() as receiver`` runs it
    in a thread, for tests without one. It verifies each request with ``secrets`` (``whsec_…`` or ``whpk_…``): a request
    that does not verify gets a 400, and its ``problem`` says why. Without secrets nothing is verified.
    ``clock`` is that of the engine, if it is not the system's.
    """

    def __init__(
        self,
        script: Script = 200,
        *,
        secrets: Secrets = (),
        clock: Clock | None = None,
        behaviour: Behaviour | None = None,
        tls_context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        name: str | None = None,
        path: str = "/hook",
        port: int = 0,
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = port
        self.secrets = secrets
        self.behaviour = behaviour or Receiver._by_script
        self._clock = clock
        self._script = script
        self._answered = 0
        self._failing: list[int | Reply] = []
        self._tls_context = tls_context
        self._host = host
        self._name = name or host
        self._path = path
        self._arrived = threading.Condition()
        self._waiting: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread: _Thread | None = None

    @property
    def url(self) -> str:
        """The receiver's URL."""
        scheme = "https" if self._tls_context else "http"
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"{scheme}://{name}:{self.port}{self._path}"

    @property
    def bodies(self) -> list[bytes]:
        """The bodies received, in order."""
        return [request.body for request in self.requests]

    def answer(
        self,
        script: Script | None = None,
        *,
        status: int = 200,
        body: bytes | str = b"ok",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> None:
        """Set the response from now on: by a script, or a status, body and headers after ``delay`` seconds."""
        if script is None:
            script = Reply(status, body.encode() if isinstance(body, str) else body, headers or {}, delay)
        self._script, self._answered, self._failing = script, 0, []

    def fail(self, times: int = 1, *, status: int = 500) -> None:
        """Respond to the next ``times`` requests with a failure, then go on as before."""
        self._failing += [status] * times

    def hang(self, times: int = 1) -> None:
        """Never respond to the next ``times`` requests."""
        self._failing += [Reply(delay=float("inf"))] * times

    async def wait_for(self, count: int, timeout: float = 5.0) -> list[Request]:
        """Wait for ``count`` requests in all, and return them; raises ``AssertionError`` after ``timeout`` seconds."""
        arrived = asyncio.Event()
        self._waiting.add(arrived)
        try:
            async with asyncio.timeout(timeout):
                while len(self.requests) < count:
                    arrived.clear()
                    await arrived.wait()
        except TimeoutError:
            raise self._too_few(count, timeout) from None
        finally:
            self._waiting.discard(arrived)
        return list(self.requests)

    def wait(self, count: int, timeout: float = 5.0) -> list[Request]:
        """Like :meth:`wait_for`, for a receiver that runs in a thread."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, timeout):
                raise self._too_few(count, timeout)
        return list(self.requests)

    def verify_for(self, engine: Engine) -> None:
        """Verify each request from now on with the secrets of the endpoints of ``engine`` that have this URL."""

        async def secrets() -> list[str]:
            return [
                await engine.endpoints.get_secret(application.id, endpoint.id)
                async for application in engine.applications.iterate()
                async for endpoint in engine.endpoints.iterate(application.id)
                if endpoint.url.startswith(self.url)
            ]

        self.secrets = secrets

    def assert_verified(self) -> None:
        """Raise ``AssertionError`` if a request had a wrong signature."""
        wrong = [request for request in self.requests if request.problem]
        if wrong:
            lines = [f"{one.method} {one.target} {_shown(one.body)}: {one.problem}" for one in wrong]
            raise AssertionError("\n  ".join([f"{len(wrong)} requests were not signed as they should be:", *lines]))

    async def start(self) -> None:
        """Start to listen."""
        # TLS is started by hand, so that a failed handshake only ends its own connection.
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything; the port stays known, so that ``start`` can bring the same receiver back."""
        if self._server:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        self._thread = _Thread()
        self._thread.run(self.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.run(self.stop())
            thread.end()

    def _too_few(self, count: int, timeout: float) -> AssertionError:
        return AssertionError(f"{len(self.requests)} of {count} requests came within {timeout} s")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101 (a connection is served by a task)
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        secure = not self._tls_context
        try:
            if self._tls_context:
                await writer.start_tls(self._tls_context)
                secure = True
            while request := await self._read(reader, number):
                with self._arrived:
                    self.requests.append(request)
                    self._arrived.notify_all()
                for waiting in self._waiting:
                    waiting.set()
                if not await self.behaviour(self, request, reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                if secure:  # The writer is not updated after a handshake.
                    await writer.wait_closed()
            self._tasks.discard(task)

    async def _read(self, reader: asyncio.StreamReader, connection: int) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ", 2)
        headers = CIMultiDict((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        problem = await self._problem(headers, body)
        return Request(method, target, headers, body, head + body, connection, problem)

    async def _problem(self, headers: CIMultiDict[str], body: bytes) -> WebhookVerificationError | None:
        secrets = await self.secrets() if callable(self.secrets) else self.secrets
        if not secrets:
            return None
        try:
            Webhook(*secrets, clock=self._clock).check(body, headers)
        except WebhookVerificationError as error:
            return error
        return None

    async def _by_script(self, request: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reply = await self._reply(request)
        if reply.delay:
            await (asyncio.Event().wait() if reply.delay == float("inf") else asyncio.sleep(reply.delay))
        writer.write(reply.encoded())
        await writer.drain()
        return not reply.close

    async def _reply(self, request: Request) -> Reply:
        if request.problem is not None:
            return Reply(400, str(request.problem).encode())
        if self._failing:
            answer: int | Reply | Awaitable[int | Reply] = self._failing.pop(0)
        else:
            script, number = self._script, self._answered
            self._answered += 1
            if isinstance(script, Sequence):
                script = script[min(number, len(script) - 1)]
            answer = script(request) if callable(script) else script
        if inspect.isawaitable(answer):
            answer = await answer
        return Reply(answer) if isinstance(answer, int) else answer


class _Thread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhook-receiver", daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _shown(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
