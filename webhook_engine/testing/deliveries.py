"""The deliveries of an engine under test."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import overload

from webhook_engine.engine import Engine
from webhook_engine.model import AttemptedDestination, AttemptStatus, Message
from webhook_engine.rules.pages import MAX_PAGE
from webhook_engine.secrets.signing import JsonValue
from webhook_engine.sync import SyncEngine
from webhook_engine.testing.expectation import ANY, Expectation

__all__ = ["Delivered", "assert_delivered"]

LONGEST_WAIT_S = 10.0


@dataclass(frozen=True)
class Delivered:
    """A message, and where it went."""

    message: Message
    destinations: tuple[AttemptedDestination, ...]

    @property
    def event_type(self) -> str:
        """Its event type."""
        return self.message.event_type

    @property
    def event_id(self) -> str | None:
        """Its event id."""
        return self.message.event_id

    @property
    def payload(self) -> JsonValue:
        """Its payload, read as JSON; the text itself where it is no JSON."""
        body = self.message.payload or b""
        try:
            value: JsonValue = json.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")
        return value

    @property
    def delivered(self) -> bool:
        """Whether it was sent to at least one endpoint, and every one has accepted it."""
        return bool(self.destinations) and all(one.status is AttemptStatus.SUCCESS for one in self.destinations)

    def __str__(self) -> str:
        places = [f"{one.endpoint.url}: {_state(one)}" for one in self.destinations]
        return f"{self.event_type} {self.payload!r} to {', '.join(places) or 'no endpoint, since none wanted it'}"


@overload
def assert_delivered(
    engine: Engine,
    application: str | None = None,
    *,
    event_type: str | None = None,
    payload: object = ANY,
    event_id: str | None = None,
    times: int | None = None,
    timeout: float = LONGEST_WAIT_S,
) -> Awaitable[Delivered]: ...


@overload
def assert_delivered(
    engine: SyncEngine,
    application: str | None = None,
    *,
    event_type: str | None = None,
    payload: object = ANY,
    event_id: str | None = None,
    times: int | None = None,
    timeout: float = LONGEST_WAIT_S,
) -> Delivered: ...


def assert_delivered(
    engine: Engine | SyncEngine,
    application: str | None = None,
    *,
    event_type: str | None = None,
    payload: object = ANY,
    event_id: str | None = None,
    times: int | None = None,
    timeout: float = LONGEST_WAIT_S,
) -> Awaitable[Delivered] | Delivered:
    """Wait until nothing is due, and raise ``AssertionError`` unless a matching message was delivered; returns it.

    Delivered means that it was sent to at least one endpoint, and each has responded 2xx. Arguments that are not given
    match anything; ``payload`` is compared as JSON, or is a predicate. ``application`` is an id or uid, by default all.
    The error lists the messages and their status.
    Awaited with an ``Engine``, called with a ``SyncEngine``.
    """
    wanted: Expectation[Delivered] = Expectation(
        "message delivered", {"event_type": event_type, "event_id": event_id, "delivered": True}, payload
    )

    async def check(running: Engine) -> Delivered:
        await running.join(timeout)
        return wanted.found_in(await _messages(running, application), times)

    return engine.run(check) if isinstance(engine, SyncEngine) else check(engine)


async def _messages(engine: Engine, application: str | None) -> list[Delivered]:
    applications = [application] if application else [one.id async for one in engine.applications.iterate()]
    newest_first = [
        Delivered(message, await _destinations(engine, each, message.id))
        for each in reversed(applications)
        async for message in engine.messages.iterate(each)
    ]
    return newest_first[::-1]


async def _destinations(engine: Engine, application: str, message_id: str) -> tuple[AttemptedDestination, ...]:
    found: list[AttemptedDestination] = []
    iterator: str | None = None
    while True:
        page = await engine.attempts.list_attempted_destinations(
            application, message_id, limit=MAX_PAGE, iterator=iterator
        )
        found += page.data
        if page.done:
            return tuple(found)
        iterator = page.iterator


def _state(destination: AttemptedDestination) -> str:
    tried = f"{destination.attempt_count} attempts"
    if destination.next_attempt is not None:
        return f"pending after {tried}, next one at {destination.next_attempt.isoformat()}"
    return f"{destination.status_text} after {tried}{f' ({destination.reason})' if destination.reason else ''}"
