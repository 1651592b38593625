"""The outcome of an attempt: a value that the lane applies and the recorder commits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from webhook_engine.delivery.attempt.breaker import Breaker
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.elapsed import Moment, due_again
from webhook_engine.delivery.http.response import Response
from webhook_engine.events import OperationalEvent
from webhook_engine.model import DeliveryStatus, Health
from webhook_engine.store.order import NOT_YET
from webhook_engine.store.records import DeliveryChange, Due, EndpointCondition, RecordedAttempt

__all__ = ["Outcome", "Postponed", "Reaction", "reaction_to"]

QUICK_RESPONSE_MS = 1_000
ASKING_FOR_LESS = frozenset({429, 502, 503, 504})


class Reaction(IntEnum):
    """How a receiver coped with a request."""

    QUICK = 0
    """A response within a second, whatever its status."""
    SLOW = 1
    """A response, but late."""
    OVERLOADED = 2
    """The receiver asked to slow down, or could not be reached."""
    TIMEOUT = 3


_QUICK = Reaction.QUICK


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result of an attempt, or why none was made."""

    due: Due
    application_id: str
    change: DeliveryChange
    attempt: RecordedAttempt | None = None
    """``None`` if there was nothing to send."""
    reaction: Reaction | None = None
    """``None`` if nothing was sent."""
    health: Health | None = None
    """The endpoint's new failure window; ``None``: unchanged."""
    condition: EndpointCondition | None = None
    """The endpoint's new condition, if there is something to record."""
    closed: Target | None = None
    """The disabled endpoint, if this disables it."""
    events: Sequence[OperationalEvent] = ()
    breaker: Breaker | None = None
    """The endpoint's new circuit breaker state; ``None``: it has none."""
    member_id: str | None = None
    """The engine's member id when the attempt began; ``None`` if engines do not share the database."""

    @property
    def succeeded(self) -> bool:
        """Whether the delivery succeeded. A success counts even if a former holder of the endpoint reports it late."""
        return self.change.status is DeliveryStatus.SUCCEEDED

    def late(self) -> Outcome:
        """The part of a success that still applies when another engine holds the endpoint: it settles the delivery."""
        return msgspec.structs.replace(self, condition=None, events=(), member_id=None)

    def due_again(self, moment: Moment) -> Outcome:
        """The outcome adjusted to a clock that was set since: a retry comes after the delay that it was given."""
        change = self.change
        if change.due_at is None or change.due_at >= NOT_YET:
            return self
        due_at = due_again(change.due_at, change.due_ran, promised=False, now=moment.now, ran=moment.ran)
        if due_at == change.due_at:
            return self
        return msgspec.structs.replace(self, change=msgspec.structs.replace(change, due_at=due_at))

    def without_attempt(self) -> Outcome:
        """The outcome without the attempt that the database refuses to store, so that the delivery goes on."""
        return msgspec.structs.replace(self, attempt=None, events=())


class Postponed(msgspec.Struct, frozen=True, gc=False):
    """No attempt could be made, because the engine itself lacked something; try again soon."""

    due: Due
    response: Response
    """Says what the engine lacked."""


def reaction_to(response: Response) -> Reaction:
    """What a response, or its absence, tells about the receiver's load."""
    if response.timed_out:
        return Reaction.TIMEOUT
    if response.status_code in ASKING_FOR_LESS or response.status_code == 0:
        return Reaction.OVERLOADED
    return _QUICK if response.duration_ms < QUICK_RESPONSE_MS else Reaction.SLOW
