"""What an attempt comes to: a value, which the lane applies and the recorder commits."""

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
    """How a receiver bore a request."""

    QUICK = 0
    """A response within a second, whatever it said."""
    SLOW = 1
    """A response, but late."""
    OVERLOADED = 2
    """The receiver asked for less, or could not be reached."""
    TIMEOUT = 3


_QUICK = Reaction.QUICK


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What an attempt came to, or why none was made."""

    due: Due
    application_id: str
    change: DeliveryChange
    attempt: RecordedAttempt | None = None
    """``None`` where there was nothing to send."""
    reaction: Reaction | None = None
    """``None`` where nothing was sent."""
    health: Health | None = None
    """Of the endpoint from now on; ``None``: as it was."""
    condition: EndpointCondition | None = None
    """Of the endpoint, if there is something new to record."""
    closed: Target | None = None
    """The endpoint as it is from now on, if this disables it."""
    events: Sequence[OperationalEvent] = ()
    breaker: Breaker | None = None
    """The endpoint's circuit breaker from now on; ``None``: it has none."""
    member_id: str | None = None
    """The member that this engine was when the attempt began; ``None`` where there are no others."""

    @property
    def succeeded(self) -> bool:
        """Whether the delivery succeeded, which stands whoever says so and how late."""
        return self.change.status is DeliveryStatus.SUCCEEDED

    def late(self) -> Outcome:
        """What is left of a success when another engine holds the endpoint: it settles the delivery."""
        return msgspec.structs.replace(self, condition=None, events=(), member_id=None)

    def due_again(self, moment: Moment) -> Outcome:
        """The same by a clock that may have been set since: a retry comes after the time that it was given."""
        change = self.change
        if change.due_at is None or change.due_at >= NOT_YET:
            return self
        due_at = due_again(change.due_at, change.due_ran, promised=False, now=moment.now, ran=moment.ran)
        if due_at == change.due_at:
            return self
        return msgspec.structs.replace(self, change=msgspec.structs.replace(change, due_at=due_at))

    def without_attempt(self) -> Outcome:
        """The same without what the database refuses to keep, so that the delivery goes on."""
        return msgspec.structs.replace(self, attempt=None, events=())


class Postponed(msgspec.Struct, frozen=True, gc=False):
    """No attempt could be made, because the engine itself lacked something; it is to be tried again soon."""

    due: Due
    response: Response
    """What was lacking."""


def reaction_to(response: Response) -> Reaction:
    """What a response, or its absence, says of how much the receiver can bear."""
    if response.timed_out:
        return Reaction.TIMEOUT
    if response.status_code in ASKING_FOR_LESS or response.status_code == 0:
        return Reaction.OVERLOADED
    return _QUICK if response.duration_ms < QUICK_RESPONSE_MS else Reaction.SLOW
