"""Idempotency keys: a POST repeated with the same key is executed once, and gets the same response each time.

A response is stored under a digest of the token, the client's key and the target, not of the body. Only successes are
kept, for twelve hours, in the database. A response is kept before it is sent, so that a restart changes nothing. The
response to the creation of a message is kept in the transaction that stores the message, so that even a crash cannot
separate the two.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import msgspec

from webhook_engine.clock import microseconds
from webhook_engine.errors import SecretsUnreadableError, StoreError
from webhook_engine.log import get_logger
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.server.api.route import Keep, Response
from webhook_engine.server.errors import ApiError, Problem, UnprocessableError
from webhook_engine.server.seen_keys import SeenKeys
from webhook_engine.store.kept_responses import KeptResponse, KeptResponseStore

__all__ = ["Idempotency", "request_digest"]

KEPT_FOR: Final = microseconds(timedelta(hours=12))
LONGEST_WAIT_S = 5.0
CLAIM_LOOKS_EVERY_S = 0.05
CLAIMED_FOR: Final = microseconds(timedelta(seconds=60))
"""How long a key stays claimed if its engine died before it answered the request."""
LOADED_AT_ONCE = 10_000

log = get_logger("server.idempotency")


class _Done(msgspec.Struct, frozen=True, array_like=True):
    """A kept response."""

    status: int
    body: bytes
    asked: bytes | None = None
    """A digest of the request body; older kept responses have none."""


class _Named(msgspec.Struct, frozen=True, rename="camel"):
    """The members by which a body is identified in the log."""

    id: str | None = None
    uid: str | None = None
    name: str | None = None
    event_id: str | None = None


class Idempotency:
    """Runs requests with a key at most once."""

    def __init__(
        self,
        store: KeptResponseStore,
        cipher: Cipher,
        now: Callable[[], int],
        *,
        strict: bool = False,
        shared: bool = False,
    ) -> None:
        """``shared``: other engines use the same database, so a key is claimed there before it is used.

        ``strict``: refuse a key that is used again with another body, instead of returning the kept response.
        """
        self._strict = strict
        self._shared = shared
        self._store = store
        self._cipher = cipher
        self._now = now
        self._seen = SeenKeys(KEPT_FOR, now())
        self._running: dict[bytes, asyncio.Future[_Done | None]] = {}
        self._unkept: list[KeptResponse] = []
        self._next: asyncio.Task[None] | None = None
        """Will write the responses that are not kept yet, once ``_last`` has written the batch before."""
        self._last: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Load the keys that were used before the server started."""
        now, last = self._now(), b""
        while digests := await self._store.digests(last, LOADED_AT_ONCE, now):
            for digest in digests:
                self._seen.add(digest, now)
            last = digests[-1]

    async def run(self, digest: bytes, body: bytes, work: Callable[[Keep], Awaitable[Response]]) -> Response:
        """Return the response of ``work``, or the kept one for this key; raises what ``work`` raises.

        ``work`` gets a function that turns its response into a record for the store. If it calls that function, it must
        store the record in the same transaction as its change; otherwise the response is kept after ``work`` returns.
        If the key was used with another ``body``, this is logged, or with ``strict`` refused with ``ApiError``. Also
        raises ``ApiError`` (409) if another request with this key takes too long.
        """
        handed_over = False
        asked = hashlib.blake2b(body, digest_size=16).digest()

        def keep(response: Response) -> KeptResponse:
            nonlocal handed_over
            handed_over = True
            return self._encrypted(digest, _Done(response.status, response.body, asked))

        while (running := self._running.get(digest)) is not None:
            done = await _outcome_of(running)
            if done is not None:
                return self._again(done, asked, body)
        future: asyncio.Future[_Done | None] = asyncio.get_running_loop().create_future()
        self._running[digest] = future
        done = None
        claimed = False
        try:
            done = await self._kept(digest) or (await self._claim(digest) if self._shared else None)
            if done is not None:
                return self._again(done, asked, body)
            claimed = self._shared
            made = await work(keep)
            if 200 <= made.status < 300:
                done = _Done(made.status, made.body, asked)
                if not handed_over:
                    await self._keep(self._encrypted(digest, done))
            return made
        finally:
            if claimed and done is None:
                await self._give_up(digest)
            del self._running[digest]
            # With no response, the waiting requests try again themselves.
            future.set_result(done)

    def _again(self, done: _Done, asked: bytes, body: bytes) -> Response:
        """Return the kept response; raises ``UnprocessableError`` for another body if strict."""
        if done.asked not in (None, asked):
            first, second = _named(done.body), _named(body)
            log.warning(
                "idempotency.other_body",
                first=first.id or first.uid or first.name,
                first_event_id=first.event_id,
                second=second.id or second.uid or second.name,
                second_event_id=second.event_id,
                refused=self._strict,
            )
            if self._strict:
                problem = (
                    "This idempotency key was used for a request with another body; use a key of its own for each."
                )
                raise UnprocessableError(Problem(("header", "idempotency-key"), problem))
        return Response(done.status, done.body)

    async def _claim(self, digest: bytes) -> _Done | None:
        """Claim the key among all engines. Returns the response that another engine has kept meanwhile, if any.

        Raises ``ApiError`` (409) if another engine holds the key for too long.
        """
        ends_at = asyncio.get_running_loop().time() + LONGEST_WAIT_S
        while not await self._store.claim(digest, self._now(), self._now() + CLAIMED_FOR):
            if (done := await self._kept(digest)) is not None:
                return done
            if asyncio.get_running_loop().time() >= ends_at:
                raise _being_handled()
            await asyncio.sleep(CLAIM_LOOKS_EVERY_S)
        return None

    async def _give_up(self, digest: bytes) -> None:
        """Release the key of a failed request, so that the client may retry it."""
        try:
            await self._store.give_up(digest)
        except StoreError as error:
            log.warning("idempotency.still_claimed", error=str(error), for_s=CLAIMED_FOR // 1_000_000)

    async def _kept(self, digest: bytes) -> _Done | None:
        if not self._shared and not self._seen.may_know(digest):
            return None
        found = await self._store.find(digest, self._now())
        if found is None:
            return None
        try:
            return msgspec.msgpack.decode(self._cipher.decrypt(found.encrypted, digest.hex()), type=_Done)
        except SecretsUnreadableError:
            log.warning("idempotency.unreadable", hint="the main secret is another one than when the response was kept")
            return None

    def _encrypted(self, digest: bytes, done: _Done) -> KeptResponse:
        now = self._now()
        encrypted = self._cipher.encrypt(msgspec.msgpack.encode(done), digest.hex())
        self._seen.add(digest, now)
        return KeptResponse(digest=digest, encrypted=encrypted, expires_at=now + KEPT_FOR)

    async def _keep(self, response: KeptResponse) -> None:
        """Keep a response; durable on return. Responses that arrive during a write form the next batch."""
        self._unkept.append(response)
        if self._next is None:
            self._next = self._last = asyncio.create_task(self._write(self._last), name="webhook-engine-responses")
        try:
            await asyncio.shield(self._next)
        except StoreError as error:
            # The change is done and durable: an error now would only make the client repeat it.
            log.warning("idempotency.not_kept", error=str(error))

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        batch, self._unkept, self._next = self._unkept, [], None
        await self._store.keep(batch)


def _named(body: bytes) -> _Named:
    try:
        return msgspec.json.decode(body, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Named()


async def _outcome_of(running: asyncio.Future[_Done | None]) -> _Done | None:
    done, _ = await asyncio.wait({running}, timeout=LONGEST_WAIT_S)
    if not done:
        raise _being_handled()
    return running.result()


def _being_handled() -> ApiError:
    return ApiError(409, "conflict", "A request with this idempotency key is being handled; repeat this one later.")


def request_digest(authorization: str, key: str, target: str) -> bytes:
    """A digest that is the same for a repeated request, and differs for any other."""
    hasher = hashlib.blake2b(digest_size=32)
    for part in (authorization, key, target):
        encoded = part.encode("utf-8", "surrogateescape")
        hasher.update(len(encoded).to_bytes(4, "big"))
        hasher.update(encoded)
    return hasher.digest()
