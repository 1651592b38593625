"""The rule of endpoints that get their messages in order: of one ordering key one at a time, as they were accepted."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from simulation.network import Received

if TYPE_CHECKING:
    from simulation.model import Delivery, Endpoint, Message, Model

__all__ = ["Lines", "Made", "Tried"]

EXHAUSTED = "retries exhausted"
TOLD_LATER_S = 1.0
"""How much later than it takes effect a caller may hear of something."""
A_MOMENT_S = 0.005
"""Durations of attempts are told in whole milliseconds."""


class Tried(NamedTuple):
    """One attempt as it is recorded."""

    began: float
    ended: float
    by_hand: bool


class Made(NamedTuple):
    """A delivery as it is recorded."""

    message: Message
    kind: str
    reason: str | None
    tried: Sequence[Tried]

    def scheduled(self) -> Sequence[Tried]:
        """Those of its attempts that nobody asked for by hand."""
        return [one for one in self.tried if not one.by_hand]


@dataclass
class _Line:
    """Where an order stands, by what receivers know."""

    request: Received | None = None
    """The last one."""
    of: Delivery | None = None
    began_at: float = -1.0
    """When the call for the newest message began that was requested."""
    row: int = 0
    """The highest number of a message of the outbox that was requested."""


class Lines:
    """What endpoints get in order, each ordering key for itself."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lines: dict[tuple[str, str | None], _Line] = defaultdict(_Line)

    def requested(self, request: Received, deliveries: Sequence[Delivery], now: float) -> None:
        """A request has arrived: nothing else of its order may be under way, and nothing that comes after it have been.

        Messages that go together are in order, and come again together. What a person asks for goes out of turn.
        """
        delivery = deliveries[0]
        endpoint, message = delivery.endpoint, delivery.message
        if not endpoint.options.in_order or delivery.manual or endpoint.again:
            return
        line = self._lines[endpoint.key, message.ordering_key]
        what = f"message {message.number} to {endpoint.key}"
        before, of = line.request, line.of
        if (
            before is not None
            and of is not None
            and before is not request
            and before.awaited
            and not self._let_go(of, before.at, now)
            and not self._model.taken_over(before.at, now)
        ):
            self._model.violated(
                f"{what}: message {of.message.number} of the same order is under way since {before.at}"
            )
        overtaken = message.number < line.row if message.by_outbox else _accepted(message) < line.began_at
        if overtaken and not self._model.taken_over(message.began_at, now):
            self._model.violated(f"{what}: a message of the same order that was accepted later was sent before")
        for one, following in pairwise(deliveries):
            if following.message.goes_before(one.message):
                self._model.violated(f"{what}: message {following.message.number} goes behind one that comes after it")
        line.request, line.of = request, delivery
        line.began_at = max(line.began_at, message.began_at)
        if message.by_outbox:
            line.row = max(line.row, message.number)

    def _let_go(self, delivery: Delivery, since: float, until: float) -> bool:
        """Whether somebody had its order go on although it was under way."""
        message, endpoint = delivery.message, delivery.endpoint
        return (
            bool(delivery.manual)
            or message.cancelled_at <= until
            or delivery.skipped_at <= until
            or True in endpoint.values(endpoint.closed, since - 1, until)
        )

    # At the end.

    def turns(self, endpoint: Endpoint, made: Iterable[Made]) -> dict[int, float]:
        """When each message had its turn at the latest, by its number: those before it had come to their end.

        Infinite where that cannot be told.
        """
        if not endpoint.options.in_order:
            return {}
        found: dict[int, float] = {}
        for line in _by_key(made):
            if endpoint.options.batch_size > 1 and (
                endpoint.goes_on is not None or any(self._touched(one.message, endpoint) for one in line)
            ):
                # Who leaves a batch that is to be tried again leaves those behind without the time of their next one;
                # who has an order go on has those that went along with the one that failed begin anew.
                found |= {one.message.number: float("inf") for one in line}
                continue
            tried = sorted(attempt for one in line for attempt in one.tried)
            ends = list(accumulate((one.ended for one in tried), max))
            settled = sorted(at for one in line for at in self._settled_otherwise(one.message, endpoint))
            for one in line:
                if one.tried:
                    first = min(one.tried).began
                    others, others_besides = bisect_left(tried, (first,)), bisect_left(settled, first + TOLD_LATER_S)
                    found[one.message.number] = max(
                        ends[others - 1] if others else 0.0, settled[others_besides - 1] if others_besides else 0.0
                    )
        return found

    def _settled_otherwise(self, message: Message, endpoint: Endpoint) -> Collection[float]:
        delivery = self._model.deliveries.get((message.number, endpoint.key))
        skipped_at = float("inf") if delivery is None else delivery.skipped_sure
        # One that is to be sent later has the others wait until then, and is perhaps cancelled without an attempt.
        found = (message.cancelled_sure, message.expunged_at, skipped_at, message.later)
        return [at for at in found if 0.0 < at < float("inf")]

    def stopped(self, endpoint: Endpoint, made: Iterable[Made]) -> set[str | None]:
        """The ordering keys whose order waits for somebody."""
        if not endpoint.options.stops or (endpoint.goes_on is not None and endpoint.goes_on.sure < float("inf")):
            return set()
        return {
            one.message.ordering_key
            for one in made
            # One that was skipped may be recovered, and stop the order once more.
            if one.kind == "fail"
            and one.reason == EXHAUSTED
            and (endpoint.again or not self._skipped(one.message, endpoint))
        }

    def check(self, endpoint: Endpoint, made: Iterable[Made]) -> None:
        """No message is tried before one that comes before it has come to its end; no other one after a failure that
        stops the order."""
        if not endpoint.options.in_order or endpoint.again:
            return
        for line in _by_key(made):
            for one in line:
                if not self._touched(one.message, endpoint):
                    self._check_behind(endpoint, one, line)

    def _check_behind(self, endpoint: Endpoint, first: Made, line: Sequence[Made]) -> None:
        tried = first.scheduled()
        stops = (
            endpoint.options.stops
            and endpoint.goes_on is None
            and first.kind == "fail"
            and first.reason == EXHAUSTED
            and not any(span.value for span in endpoint.closed)
        )
        if not tried:
            return
        ended = max(one.ended for one in tried)
        for other in line:
            behind = other.scheduled()
            if not behind or not first.message.goes_before(other.message):
                continue
            began = min(one.began for one in behind)
            what = f"message {other.message.number} to {endpoint.key}: an attempt began at {began:.3f}"
            if self._model.taken_over(tried[0].began, ended) or True in endpoint.values(
                endpoint.closed, first.message.began_at, began
            ):
                continue
            apart = [one for one in behind if all(abs(one.began - with_it.began) > A_MOMENT_S for with_it in tried)]
            if any(one.began < ended - A_MOMENT_S for one in apart):
                self._model.violated(
                    f"{what}, while message {first.message.number}, which comes before it, was tried until {ended:.3f}"
                )
                return
            if stops and any(one.began > ended for one in behind):
                self._model.violated(f"{what}, although its order has stopped at message {first.message.number}")
                return

    def _skipped(self, message: Message, endpoint: Endpoint) -> bool:
        """Whether its order goes on without it for sure."""
        delivery = self._model.deliveries.get((message.number, endpoint.key))
        return delivery is not None and delivery.skipped_sure < float("inf")

    def _touched(self, message: Message, endpoint: Endpoint) -> bool:
        """Whether somebody did something with it by hand that lets its order go on."""
        delivery = self._model.deliveries.get((message.number, endpoint.key))
        by_hand = delivery is not None and (bool(delivery.manual) or delivery.skipped_at < float("inf"))
        return by_hand or message.cancelled_at < float("inf")


def _accepted(message: Message) -> float:
    return float("inf") if message.accepted_at is None else message.accepted_at


def _by_key(made: Iterable[Made]) -> Iterable[Sequence[Made]]:
    lines: dict[str | None, list[Made]] = defaultdict(list)
    for one in made:
        lines[one.message.ordering_key].append(one)
    return lines.values()
