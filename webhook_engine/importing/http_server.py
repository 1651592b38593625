"""Reads JSON from the API of another server, with helpful error messages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from webhook_engine.importing.source import SourceError

__all__ = ["HttpServer"]

PATIENCE_S = 60
TRIES = 5
PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
MAX_BYTES = 64 * 1024 * 1024
"""The maximum size of a response."""
_PASSING = frozenset({429, 500, 502, 503, 504})
AGAIN = "run the command again when it does: what was taken over stays, and is not doubled"

T = TypeVar("T")


class HttpServer:
    """The API of a running server, as a context manager. A path is given as its segments; each is quoted."""

    def __init__(self, product: str, url: str, token: str, *, pause_s: float = PAUSE_S) -> None:
        if not url.startswith(("http://", "https://")):
            raise SourceError(f"--from-url {url}: must begin with http:// or https://")
        if not token or not token.isascii() or not token.strip().isprintable():
            raise SourceError("--from-token: must be the token itself, in printable characters")
        self._product = product
        self._a_product = f"{'an' if product[0] in 'AEIOU' else 'a'} {product}"
        self.url = url.rstrip("/")
        self._token = token.strip()
        self._pause_s = pause_s
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._runner.run(self._session.close())
        self._runner.close()

    def get(self, path: Sequence[str], kind: type[T], query: Mapping[str, object] | None = None) -> T:
        """Get a response and decode it; raises ``SourceError``."""
        found = self.find(path, kind, query)
        if found is None:
            raise SourceError(
                f"{self._place(path)}: there is no such thing (404); is {self.url} the address of {self._a_product} "
                "server, without what comes after the host in its API?"
            )
        return found

    def find(self, path: Sequence[str], kind: type[T], query: Mapping[str, object] | None = None) -> T | None:
        """Like :meth:`get`, but returns ``None`` for a 404 response."""
        status, body = self._runner.run(self._exchange(path, query or {}))
        if status == 404:
            return None
        if status in (401, 403):
            raise SourceError(
                f"{self.url} does not accept the token ({status} for {self._path(path)}); --from-token or "
                f"WEBHOOK_ENGINE_IMPORT_TOKEN gives one that may read everything"
            )
        if not 200 <= status < 300:
            raise SourceError(f"{self._place(path)}: answered {status}; {AGAIN}")
        return self.decoded(path, body, kind)

    def decoded(self, path: Sequence[str], body: bytes, kind: type[T]) -> T:
        """Decode the response for a path, or a part of it; raises ``SourceError``."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise SourceError(
                f"{self._place(path)}: did not answer as {self._a_product} server does ({problem}); is it the address "
                "of one, and its answer whole?"
            ) from None

    async def _exchange(self, path: Sequence[str], query: Mapping[str, object]) -> tuple[int, bytes]:
        pause, problem = self._pause_s, ""
        for tries_left in reversed(range(TRIES)):
            try:
                async with self._opened().get(self._address(path, query), allow_redirects=False) as response:
                    body = await response.content.read(MAX_BYTES + 1)
                    while chunk := await response.content.read(MAX_BYTES + 1):
                        body += chunk
                        if len(body) > MAX_BYTES:
                            break
                    if len(body) > MAX_BYTES:
                        raise SourceError(f"{self._place(path)}: answered more than {MAX_BYTES >> 20} MiB at once")
                    if response.status not in _PASSING or not tries_left:
                        return response.status, body
                    wait = response.headers.get("retry-after", "")
                    pause = max(pause, min(float(wait), MAX_PAUSE_S)) if wait.isdecimal() else pause
            except aiohttp.InvalidURL:
                raise SourceError(f"--from-url {self.url}: this is no URL") from None
            except aiohttp.ClientConnectorError as error:
                problem = os.strerror(error.os_error.errno).lower() if error.os_error.errno else str(error.os_error)
            except TimeoutError:
                problem = f"no answer within {PATIENCE_S} seconds"
            except (aiohttp.ClientError, OSError) as error:
                problem = str(error) or type(error).__name__
            if tries_left:
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_S)
        raise SourceError(f"no {self._product} server answers at {self._place(path)} ({problem}); {AGAIN}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
                headers={"authorization": f"Bearer {self._token}", "accept": "application/json"},
            )
        return self._session

    def _path(self, path: Sequence[str]) -> str:
        return "/" + "/".join(quote(part, safe="") for part in path)

    def _place(self, path: Sequence[str]) -> str:
        return f"{self.url}{self._path(path)}"

    def _address(self, path: Sequence[str], query: Mapping[str, object]) -> URL:
        given = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in query.items()
            if value is not None
        }
        try:
            return URL(f"{self._place(path)}?{urlencode(given)}" if given else self._place(path), encoded=True)
        except ValueError:
            raise SourceError(f"--from-url {self.url}: this is no URL") from None
