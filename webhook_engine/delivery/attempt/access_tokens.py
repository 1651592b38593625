"""Access tokens by client credentials (RFC 6749, section 4.4): requested, cached, and renewed before they expire.

::

    none ──► requested ──► cached ──► about to expire, or refused by the receiver ──► requested again
                 └── failed: all waiting attempts get the failure, and the next one requests again
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import Context
from urllib.parse import quote_plus, urlencode

import msgspec
from yarl import URL

from webhook_engine.clock import Clock
from webhook_engine.delivery.http.problems import shortened
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.log import get_logger
from webhook_engine.rules.user_info import MASK

__all__ = ["AccessToken", "AccessTokens", "TokenClient", "token_of"]

log = get_logger("access_tokens")

MAX_KEPT = 10_000
"""Tokens in the cache; the least recently used one is evicted."""
MAX_TOKEN = 16_384
"""Characters of a token."""
LIFE_S = 300.0
"""Lifetime, in seconds, of a token whose server does not state one."""
LONGEST_LIFE_S = 30 * 86_400.0
MARGIN_S = 60.0
"""A token is renewed so many seconds before it expires, or a tenth of its lifetime if that is shorter."""
UNTRIED_S = 30.0
"""A refused token younger than this (in seconds) that no receiver has accepted yet is not renewed: a new one would be
refused too."""
MAX_WORDS = 200
"""Characters of a token server's error text that are kept."""


class TokenClient(msgspec.Struct, frozen=True):
    """A client and its token server."""

    endpoint_id: str
    application_id: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str | None
    in_body: bool
    """Send the client's credentials in the form instead of the ``authorization`` header."""
    user_agent: str

    @classmethod
    def of(
        cls, endpoint_id: str, application_id: str, authentication: Mapping[str, str], user_agent: str
    ) -> TokenClient:
        """The client of an endpoint with ``oauth2`` authentication."""
        return cls(
            endpoint_id,
            application_id,
            authentication["token_url"],
            authentication["client_id"],
            authentication["client_secret"],
            authentication.get("scope"),
            authentication.get("client_authentication") == "body",
            user_agent,
        )

    def request(self) -> tuple[Destination, bytes]:
        """The request to the token server."""
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "user-agent": self.user_agent,
        }
        form = {"grant_type": "client_credentials"}
        if self.scope:
            form["scope"] = self.scope
        if self.in_body:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:
            credentials = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}".encode()
            headers["authorization"] = "Basic " + base64.b64encode(credentials).decode()
        url = URL(self.token_url, encoded=True)
        return Destination(url, headers, self.application_id, is_token_server=True), urlencode(form).encode()


class AccessToken(msgspec.Struct, frozen=True):
    """A token from the server."""

    value: str
    life_s: float


class _Kept(msgspec.Struct):
    value: str
    came_at: float
    renew_at: float
    taken: bool = False
    """Whether a receiver has accepted it."""


class AccessTokens:
    """The tokens of all endpoints; each is requested once at a time, however many attempts wait for it.

    ``sender`` limits the time, size and addresses of requests to token servers, as of any other.
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._kept: OrderedDict[TokenClient, _Kept] = OrderedDict()
        self._asking: dict[TokenClient, asyncio.Task[AccessToken | Response]] = {}

    async def get(self, client: TokenClient) -> str | Response:
        """A token, or the failed response if there is none."""
        kept = self._kept.get(client)
        if kept is not None and self._clock.monotonic() < kept.renew_at:
            self._kept.move_to_end(client)
            return kept.value
        got = await self.ask(client)
        return got if isinstance(got, Response) else got.value

    async def ask(self, client: TokenClient) -> AccessToken | Response:
        """Request a new token and cache it; returns it, or the failed response."""
        task = self._asking.get(client)
        if task is None:
            # A task of its own, since one of those who wait for it may be cancelled, and the others still need it.
            task = self._asking[client] = asyncio.create_task(self._ask(client), context=Context())
        return await asyncio.shield(task)

    def taken(self, client: TokenClient, token: str) -> None:
        """Note that a receiver accepted a request with this token."""
        kept = self._kept.get(client)
        if kept is not None and kept.value == token:
            kept.taken = True

    def refused(self, client: TokenClient, token: str) -> bool:
        """Note that a receiver responded 401 to this token; returns whether to try with another one."""
        kept = self._kept.get(client)
        if kept is None or kept.value != token:
            return True  # It was renewed meanwhile.
        if not kept.taken and self._clock.monotonic() - kept.came_at < UNTRIED_S:
            return False
        del self._kept[client]
        return True

    async def close(self) -> None:
        """Cancel all requests, and forget all tokens."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._asking.clear()
        self._kept.clear()

    async def _ask(self, client: TokenClient) -> AccessToken | Response:
        try:
            began = self._clock.monotonic()
            destination, form = client.request()
            response = await self._sender.send(destination, "", form)
            got = token_of(client, response)
            if isinstance(got, Response):
                self._kept.pop(client, None)
                log.info("access_token.failed", endpoint_id=client.endpoint_id, status_code=response.status_code)
                return got
            margin = min(MARGIN_S, got.life_s / 10)
            self._kept[client] = _Kept(got.value, began, began + got.life_s - margin)
            self._kept.move_to_end(client)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return got
        finally:
            self._asking.pop(client, None)


def token_of(client: TokenClient, response: Response) -> AccessToken | Response:
    """The token in a token server's response, or the failed response if there is none. Pure."""
    if response.failure is FailureKind.OWN:
        return response
    if response.status_code == 0:
        return _failed(response, response.text)
    said = _object(response.text)
    if response.failure is not None:
        words = [str(said[name]) for name in ("error", "error_description") if isinstance(said.get(name), str)]
        # The server may echo the secret.
        told = shortened(": ".join(words)).replace(client.client_secret, MASK)[:MAX_WORDS]
        return _failed(response, f"the token server answered {response.status_code}" + (f" ({told})" if told else ""))
    value, kind = said.get("access_token"), said.get("token_type", "bearer")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN or not value.isascii() or not value.isprintable():
        return _failed(response, "the token server answered without an access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return _failed(response, "the token server gave a token of another type than bearer")
    return AccessToken(value, _life(said.get("expires_in")))


def _life(said: object) -> float:
    """The lifetime of a token, in seconds."""
    try:
        life = float(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else LIFE_S
    except (ValueError, OverflowError):
        return LIFE_S
    return min(max(life, 0.0), LONGEST_LIFE_S) if life == life else LIFE_S  # noqa: PLR0124 (NaN is not itself)


def _object(text: str) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return {}


def _failed(response: Response, why: str) -> Response:
    return Response(
        0,
        f"no access token: {why}",
        FailureKind.AUTHENTICATION,
        response.duration_ms,
        timed_out=response.timed_out,
        sent=False,
    )
