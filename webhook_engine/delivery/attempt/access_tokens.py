"""Access tokens by client credentials (RFC 6749, section 4.4): asked for, kept, and renewed before they end.

::

    none ──► asked for ──► kept ──► soon over, or refused by the receiver ──► asked for again
                 └── failed: everyone who waits for it gets that, and the next asks again
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
"""Tokens; the one that was used longest ago makes room."""
MAX_TOKEN = 16_384
"""Characters."""
LIFE_S = 300.0
"""Of a token whose server does not say how long it lives."""
LONGEST_LIFE_S = 30 * 86_400.0
MARGIN_S = 60.0
"""A token is renewed so long before its end, or a tenth of its life where that is shorter."""
UNTRIED_S = 30.0
"""A token that no receiver has taken yet and that is younger is not worth renewing: the next would be refused too."""
MAX_WORDS = 200
"""Characters of what a token server says of a failure."""


class TokenClient(msgspec.Struct, frozen=True):
    """Who asks for a token, and where."""

    endpoint_id: str
    application_id: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str | None
    in_body: bool
    """The client's credentials are sent in the form, and not in the ``authorization`` header."""
    user_agent: str

    @classmethod
    def of(
        cls, endpoint_id: str, application_id: str, authentication: Mapping[str, str], user_agent: str
    ) -> TokenClient:
        """That of an endpoint whose requests are authenticated by ``oauth2``."""
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
        """What is sent to the token server."""
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
    """A token as it came."""

    value: str
    life_s: float


class _Kept(msgspec.Struct):
    value: str
    came_at: float
    renew_at: float
    taken: bool = False
    """Whether a receiver has taken it."""


class AccessTokens:
    """The tokens of all endpoints; each is asked for by one request at a time, however many attempts wait for it.

    What a request to a token server may take, in time and bytes, and which addresses it may go to, is up to ``sender``,
    as for any other.
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._kept: OrderedDict[TokenClient, _Kept] = OrderedDict()
        self._asking: dict[TokenClient, asyncio.Task[AccessToken | Response]] = {}

    async def get(self, client: TokenClient) -> str | Response:
        """A token; or the failed attempt that it means that there is none."""
        kept = self._kept.get(client)
        if kept is not None and self._clock.monotonic() < kept.renew_at:
            self._kept.move_to_end(client)
            return kept.value
        got = await self.ask(client)
        return got if isinstance(got, Response) else got.value

    async def ask(self, client: TokenClient) -> AccessToken | Response:
        """A new token from the server, which is kept; or the failed attempt."""
        task = self._asking.get(client)
        if task is None:
            # It is nobody's own: who waits for it may be cancelled, and the others have it all the same.
            task = self._asking[client] = asyncio.create_task(self._ask(client), context=Context())
        return await asyncio.shield(task)

    def taken(self, client: TokenClient, token: str) -> None:
        """A receiver took a request with this token."""
        kept = self._kept.get(client)
        if kept is not None and kept.value == token:
            kept.taken = True

    def refused(self, client: TokenClient, token: str) -> bool:
        """A receiver answered 401 to this token; returns whether another one is worth a try."""
        kept = self._kept.get(client)
        if kept is None or kept.value != token:
            return True  # It was renewed meanwhile.
        if not kept.taken and self._clock.monotonic() - kept.came_at < UNTRIED_S:
            return False
        del self._kept[client]
        return True

    async def close(self) -> None:
        """Ask no more, and forget all tokens."""
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
    """The token that a token server gave; or the failed attempt that it means that it gave none. Pure."""
    if response.failure is FailureKind.OWN:
        return response
    if response.status_code == 0:
        return _failed(response, response.text)
    said = _object(response.text)
    if response.failure is not None:
        words = [str(said[name]) for name in ("error", "error_description") if isinstance(said.get(name), str)]
        # What it was told, it may repeat.
        told = shortened(": ".join(words)).replace(client.client_secret, MASK)[:MAX_WORDS]
        return _failed(response, f"the token server answered {response.status_code}" + (f" ({told})" if told else ""))
    value, kind = said.get("access_token"), said.get("token_type", "bearer")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN or not value.isascii() or not value.isprintable():
        return _failed(response, "the token server answered without an access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return _failed(response, "the token server gave a token of another type than bearer")
    return AccessToken(value, _life(said.get("expires_in")))


def _life(said: object) -> float:
    """How long a token lives, in seconds."""
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
