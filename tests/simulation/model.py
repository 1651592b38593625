"""What must hold, said once: a model that is much simpler than the engine.

It knows what callers did and when they were told so, what receivers got and answered, and which troubles there were. It
knows no lane, no timer, no batch and no database. From that it says what may be sent and what must be recorded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulation.breaker import Pauses
from simulation.network import Received
from simulation.options import Options, changed
from simulation.orders import Lines

__all__ = ["Delivery", "Endpoint", "Life", "Message", "Model", "Troubles"]

FOREVER = float("inf")
LONG_S = 10
"""A rate limit is kept in each second, and almost to the request in so many."""
LONGEST_CALL_S = 10.0
"""What was called for longer ago has taken effect, or will not."""
_OF_RECEIVERS = ("receiver", "slow-receiver")
"""Troubles that are not the engine's own."""


@dataclass
class Message:
    """What a caller wanted to send."""

    number: int
    application: str
    event_type: str
    payload: bytes
    began_at: float
    word: str = "a"
    """What filters go by."""
    ordering_key: str | None = None
    id: str | None = None
    accepted_at: float | None = None
    by_outbox: bool = False
    expunged_at: float = FOREVER
    """When that was asked for."""
    cancelled_at: float = FOREVER
    """When that, or to have it cancelled, was asked for."""
    cancelled_sure: float = FOREVER
    """When the caller was told that it is cancelled."""
    later: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether nobody asked to have it expunged or cancelled."""
        return self.cancelled_at == FOREVER

    def goes_before(self, other: Message) -> bool:
        """Whether it was accepted first for sure."""
        if self.by_outbox:
            return other.by_outbox and self.application == other.application and self.number < other.number
        return self.accepted_at is not None and self.accepted_at < other.began_at


@dataclass
class Span:
    """Something that holds from an instant on: certainly since ``sure``, maybe since ``began``."""

    value: Any
    began: float
    sure: float = FOREVER
    found_at: float | None = None
    """When it was found to hold, where nobody called for it."""

    def replaces(self, other: Span) -> bool:
        """Whether it came after the other for sure: two calls that overlap may take effect in either order."""
        asked = self.began if self.found_at is None else self.found_at
        return asked >= min(other.sure, other.began + LONGEST_CALL_S)


@dataclass
class Endpoint:
    """An endpoint as callers know it."""

    key: str
    application: str
    host: str
    throttle: int | None
    options: Options
    id: str = ""
    filters: list[Span] = field(default_factory=list)
    """Values: the event types, or ``None`` for all, and the words that its filter lets through."""
    closed: list[Span] = field(default_factory=list)
    """Values: whether nothing is sent to it."""
    secrets: list[Span] = field(default_factory=list)
    paths: list[Span] = field(default_factory=list)
    """Values: the path of its URL, which ends with its key."""
    deleted: Span | None = None
    created: Span = field(default_factory=lambda: Span(None, 0.0))
    disabled_by_engine: list[tuple[float, str]] = field(default_factory=list)
    again: list[tuple[float, float, str]] = field(default_factory=list)
    """When somebody asked for deliveries to be made again: asked, told that it is done, which."""
    rate_was_edited: bool = False
    goes_on: Span | None = None
    """That its orders stop at no failure any more."""

    def wants(self, message: Message, filters: tuple[Collection[str] | None, Collection[str]]) -> bool:
        """Whether filters let a message through."""
        types, words = filters
        return (types is None or message.event_type in types) and message.word in words

    def values(self, spans: Sequence[Span], since: float, until: float) -> list[Any]:
        """What may have held at some time in between."""
        found: list[Any] = []
        for index, span in enumerate(spans):
            replaced = any(later.sure < since and later.replaces(span) for later in spans[index + 1 :])
            if span.began <= until and not replaced and span.value not in found:
                found.append(span.value)
        return found


@dataclass
class Life:
    """A run of the engine, from its start to its end, however that came."""

    name: str
    began: float
    up: float = FOREVER
    ended: float = FOREVER
    killed: bool = False


@dataclass
class Delivery:
    """What receivers know of one message at one endpoint."""

    message: Message
    endpoint: Endpoint
    requests: list[tuple[Received, str]] = field(default_factory=list)
    """Each with what came of it: ``success``, ``failure`` or ``unsure``."""
    manual: list[tuple[float, float]] = field(default_factory=list)
    """When it was asked for by hand, and when the caller was told."""
    resent: int = 0
    """How often a caller was told that it will be made again."""
    skipped_at: float = FOREVER
    """When somebody asked that its order goes on without it."""
    skipped_sure: float = FOREVER
    """When the caller was told that it does."""


class Troubles:
    """When something was not as it should be, by kind."""

    def __init__(self) -> None:
        self._spans: list[list[Any]] = []

    def begin(self, kind: str, now: float, of: str = "") -> None:
        """From now on."""
        self._spans.append([kind, of, now, FOREVER])

    def end(self, kind: str, now: float, of: str = "") -> None:
        """Until now."""
        for span in self._spans:
            if span[0] == kind and span[1] == of and span[3] == FOREVER:
                span[3] = now

    def between(self, since: float, until: float, *, leaving_out: Sequence[str] = ()) -> bool:
        """Whether there was any."""
        return any(
            began <= until and ended >= since for kind, _, began, ended in self._spans if kind not in leaving_out
        )


class Model:
    """All that is known, and what follows from it."""

    def __init__(
        self,
        jitter: float,
        window_s: float,
        timeout_s: float,
        *,
        max_in_flight: int,
        max_per_endpoint: int,
    ) -> None:
        self.max_in_flight = max_in_flight
        self.max_per_endpoint = max_per_endpoint
        self.jitter = jitter
        self.window_s = window_s
        self.timeout_s = timeout_s
        """The longest that an endpoint of the world has."""
        self.patience_s = 4.0
        self.order_s = 0.1
        """By how much a message may be the older one and have its first attempt later all the same."""
        self.lag_s = 0.0
        """How much later than an edit another engine than the one that made it may go by it."""
        self.write_s = 0.001
        """How long a commit takes."""
        self.kept_every_s = 60.0
        """How much of the time that it ran a process that is killed may not have kept."""
        self.attempts_kept_s = self.payload_kept_s = FOREVER
        """For how long messages are kept with their attempts, and their payloads."""
        self.messages: list[Message] = []
        self.by_number: dict[int, Message] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.deliveries: dict[tuple[int, str], Delivery] = {}
        self.lives: list[Life] = []
        self.troubles = Troubles()
        self.violations: list[str] = []
        self.clock_was_set = False
        self._under_way: list[Received] = []
        self._lately: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._sent: dict[str, tuple[str, str]] = {}
        """The last request to each endpoint."""
        self.paused_s: list[tuple[float, float]] = []
        self.lines = Lines(self)
        self.pauses = Pauses(self)

    def violated(self, what: str) -> None:
        """Something does not hold."""
        self.violations.append(what)

    def delivery(self, message: Message, endpoint: Endpoint) -> Delivery:
        """What is known of this message at this endpoint."""
        return self.deliveries.setdefault((message.number, endpoint.key), Delivery(message, endpoint))

    @property
    def keeps_all(self) -> bool:
        """Whether nothing becomes too old."""
        return self.attempts_kept_s == FOREVER

    def may_be_gone(self, message: Message, now: float) -> bool:
        """Whether a message may have been deleted because of its age, or some of its attempts."""
        return (self.clock_was_set and not self.keeps_all) or message.began_at + self.attempts_kept_s < now

    # While it runs: what may be sent.

    def begins(self, number: int, endpoint_id: str, now: float, *, by_hand: bool) -> None:
        """An attempt begins: whoever was told that there will be none was told the truth.

        To be told by one engine is to be told by all of them a little later. Messages that go together, or have to be
        read first, may have been taken up a moment before.
        """
        endpoint = next((one for one in self.endpoints.values() if one.id == endpoint_id), None)
        message = self.by_number.get(number)
        if endpoint is None or message is None:
            return
        if not by_hand:
            self.pauses.begins(endpoint, now)
        if endpoint.options.reads_first:
            return
        what, told = f"message {number} to {endpoint.key}: an attempt begins at {now:.3f}", now - self.lag_s
        if message.expunged_at < told:
            self.violated(f"{what}, and its payload was expunged at {message.expunged_at:.3f}")
        if endpoint.deleted is not None and endpoint.deleted.sure < told:
            self.violated(f"{what}, and its endpoint was deleted at {endpoint.deleted.sure:.3f}")
        if by_hand or endpoint.again:
            return
        if message.cancelled_sure < told and not self.delivery(message, endpoint).manual:
            self.violated(f"{what}, and it was cancelled at {message.cancelled_sure:.3f}")
        if endpoint.values(endpoint.closed, told - 0.001, now) == [True]:
            self.violated(f"{what}, and its endpoint is disabled")

    def received(self, request: Received, now: float, process: str) -> list[Delivery]:
        """A request has arrived: was there any reason to send it?"""
        endpoint = self.endpoints.get(request.path.rpartition("/")[2])
        messages = self._messages_of(request)
        if endpoint is None or not messages:
            self.violated(f"a request to {request.path} with a payload that nobody sent: {request.body[:60]!r}")
            return []
        self._within_limits(request, endpoint, now)
        first = f"message {messages[0].number} to {endpoint.key}"
        self._signed(request, endpoint, first, now)
        self._to_its_path(request, endpoint, first, now)
        deliveries = [self.delivery(message, endpoint) for message in messages]
        self._whole(request, endpoint, messages)
        for delivery in deliveries:
            what = f"message {delivery.message.number} to {endpoint.key}"
            self._open(delivery, what, now)
            self._caused(delivery, what, now, process)
        self.lines.requested(request, deliveries, now)
        return deliveries

    def _messages_of(self, request: Received) -> list[Message]:
        try:
            said = json.loads(request.body)
            numbers = [one["payload"]["n"] for one in said] if isinstance(said, list) else [said["n"]]
            return [self.by_number[number] for number in numbers]
        except (ValueError, LookupError, TypeError):
            return []

    def _whole(self, request: Received, endpoint: Endpoint, messages: Sequence[Message]) -> None:
        """What was sent is what the messages say, and no more messages together than the endpoint takes."""
        options, given_id = endpoint.options, request.headers.get("webhook-id")
        what = f"message {messages[0].number} to {endpoint.key}"
        if request.body[:1] != b"[":
            message = messages[0]
            if options.transformed:
                same = json.loads(request.body) == changed(message.payload) and not options.cancels(message.word)
            else:
                same = request.body == message.payload
            if not same:
                self.violated(f"{what}: the payload is not what was sent")
            if message.id is not None and given_id != message.id:
                self.violated(f"{what}: the id {given_id} is not that of the message, {message.id}")
            return
        ids = [one["id"] for one in json.loads(request.body)]
        if not 1 <= len(messages) <= options.batch_size:
            self.violated(f"{what}: {len(messages)} messages in one request, of {options.batch_size} that may be")
        if any(b'"payload":' + message.payload + b"}" not in request.body for message in messages):
            self.violated(f"{what}: a payload is not what was sent")
        if any(message.id not in (None, one) for message, one in zip(messages, ids, strict=True)):
            self.violated(f"{what}: the ids {ids} are not those of the messages")
        if given_id != "batch_" + hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]:
            self.violated(f"{what}: the id {given_id} is not that of its messages")
        if len({message.ordering_key for message in messages}) > 1:
            self.violated(f"{what}: messages with different ordering keys in one request")

    def _within_limits(self, request: Received, endpoint: Endpoint, now: float) -> None:
        """So many at once, to an endpoint and in all, and to an endpoint so many a second."""
        here = [one for one in self._under_way if one.process == request.process and one.awaited]
        self._under_way = [*here, request]
        if len(self._under_way) > self.max_in_flight:
            self.violated(f"{len(self._under_way)} requests are under way, of {self.max_in_flight} that may be")
        to_it = sum(one.path.rpartition("/")[2] == endpoint.key for one in self._under_way)
        if to_it > self.max_per_endpoint:
            self.violated(f"{endpoint.key} has {to_it} requests at once, of {self.max_per_endpoint} that may be")
        lately = self._lately[request.process, endpoint.key]
        # Where a connection that was kept died before any answer, the same request goes once more on a new one.
        sent, before = (
            (request.headers["webhook-id"], request.headers["webhook-signature"]),
            self._sent.get(endpoint.key),
        )
        self._sent[endpoint.key] = sent
        if sent == before and lately and now - lately[-1] < 1.0:
            return
        lately.append(now)
        while lately[0] < now - LONG_S:
            lately.popleft()
        rate = endpoint.throttle
        # The way there differs a little from one request to the next.
        # What is read between the turn of a message and its request may take its time.
        reads = endpoint.options.reads_first and self.troubles.between(now - 10.0, now, leaving_out=_OF_RECEIVERS)
        if rate is None or endpoint.rate_was_edited or reads:
            return
        for seconds, most in ((1, rate * 1.1 + 2), (LONG_S, LONG_S * rate * 1.02 + 3)):
            if (count := sum(one >= now - seconds for one in lately)) > most:
                self.violated(f"{endpoint.key} got {count} requests in {seconds} s, of {rate} a second that it takes")

    def _signed(self, request: Received, endpoint: Endpoint, what: str, now: float) -> None:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        given = request.headers["webhook-signature"].split(" ")
        if not endpoint.secrets:
            return  # Who made it was killed before it could read them, and another engine sends to it already.
        # An attempt that began before a rotation may arrive after it.
        for secret in endpoint.values(endpoint.secrets, now - self.timeout_s - 1, now):
            key = base64.b64decode(secret.removeprefix("whsec_"))
            if "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() in given:
                return
        self.violated(f"{what}: no signature is by a secret that is valid")

    def _open(self, delivery: Delivery, what: str, now: float) -> None:
        """Nothing is sent to what is disabled or deleted, nothing that was expunged; attempts under way may arrive."""
        endpoint, message = delivery.endpoint, delivery.message
        before = now - self.timeout_s - 1 - self.lag_s
        asked = [manual for manual in delivery.manual if manual[1] >= before]
        if endpoint.deleted is not None and endpoint.deleted.sure < before:
            self.violated(f"{what}: the endpoint was deleted at {endpoint.deleted.sure:.3f}")
        if endpoint.values(endpoint.closed, before, now) == [True] and not asked:
            self.violated(f"{what}: the endpoint is disabled")
        if message.expunged_at < before:
            self.violated(f"{what}: its payload was expunged at {message.expunged_at:.3f}")
        if message.cancelled_sure < before and not delivery.manual and not endpoint.again:
            self.violated(f"{what}: it was cancelled at {message.cancelled_sure:.3f}")

    def _to_its_path(self, request: Received, endpoint: Endpoint, what: str, now: float) -> None:
        """What begins after an edit goes where that says; attempts under way may arrive."""
        before = now - self.timeout_s - 1 - self.lag_s
        if request.path not in (may_be := endpoint.values(endpoint.paths, before, now)):
            self.violated(f"{what}: it is sent to {request.path}, and its endpoint is at {' or '.join(may_be)}")

    def _caused(self, delivery: Delivery, what: str, now: float, process: str) -> None:
        """A message that a receiver has taken is sent again only for a reason."""
        taken = [request for request, verdict in delivery.requests if verdict == "success"]
        if not taken:
            return
        first = taken[0]
        came_at = first.sent_at if first.sent_at is not None else first.at
        patience = self.timeout_s + 1
        if now < came_at + patience or delivery.endpoint.again or any(m[1] > came_at for m in delivery.manual):
            return
        # Each process that took a success may have died before it was recorded.
        unrecorded = any(self._died_unrecorded(request) for request in taken)
        if unrecorded:
            return
        if len(taken) >= 1 and not any(self._unrecorded_now(request, now) for request in taken):
            self.violated(f"{what}: it was taken at {came_at:.3f}, and is sent again")

    def _died_unrecorded(self, request: Received) -> bool:
        life = next((life for life in self.lives if life.name == request.process), None)
        heard = (request.sent_at or request.at) + 1.0
        return life is not None and life.ended <= heard + self.disk_lag(request.at, life.ended)

    def _unrecorded_now(self, request: Received, now: float) -> bool:
        return self.troubles.between(request.at, now, leaving_out=_OF_RECEIVERS)

    def disk_lag(self, since: float, until: float) -> float:
        """How long an outcome may wait to be recorded."""
        return 1_000.0 if self.troubles.between(since - 1, min(until, since + 60), leaving_out=_OF_RECEIVERS) else 1.0

    # At the end: what must be recorded.

    def ran(self, at: float) -> float:
        """For how long the engine had run by then."""
        total = sum(max(0.0, min(at, life.ended) - life.began) for life in self.lives if life.began < at)
        return total - sum(max(0.0, min(at, end) - begin - 1.0) for begin, end in self.paused_s if begin < at)

    def check_recipients(self, message: Message, found: Sequence[str]) -> None:
        """An accepted message has a delivery for each endpoint that wanted it, and for no other."""
        # A row of the outbox is routed when it is moved, whenever that is.
        told = message.accepted_at if message.accepted_at is not None and not message.by_outbox else FOREVER
        began = message.began_at
        for endpoint in self.endpoints.values():
            if endpoint.application != message.application or not endpoint.id:
                continue
            has = endpoint.id in found
            deleted = endpoint.deleted is not None and endpoint.deleted.began <= told
            certain = endpoint.created.sure < began and not deleted
            wanted = {
                endpoint.wants(message, filters) and not closed
                for filters in endpoint.values(endpoint.filters, began, told)
                for closed in endpoint.values(endpoint.closed, began, told)
            }
            asked = bool(endpoint.again) or (message.number, endpoint.key) in self.deliveries
            if certain and wanted == {True} and not has and endpoint.deleted is None:
                self.violated(f"message {message.number} has no delivery to {endpoint.key}, which wanted it")
            if wanted == {False} and has and not asked:
                self.violated(f"message {message.number} has a delivery to {endpoint.key}, which did not want it")

    def check_attempts(
        self, message: Message, endpoint: Endpoint, attempts: Sequence[Any], wall_at: Any, turn_at: float
    ) -> None:
        """The attempts of one delivery came when the ladder says.

        It had its turn at ``turn_at``; when, nobody can say where that is infinite.
        """
        ladder_s = endpoint.options.ladder_s
        what = f"message {message.number} to {endpoint.key}"
        delivery = self.deliveries.get((message.number, endpoint.key))
        seen = [] if delivery is None else delivery.requests
        recorded = [one for one in attempts if one.response_status_code]
        if len(recorded) > len(seen):
            self.violated(f"{what}: {len(recorded)} responses are recorded, and only {len(seen)} requests were made")
        unsure = sum(1 for request, verdict in seen if verdict != "success" or self._died_unrecorded(request))
        successes = [one for one in attempts if one.status == 0]
        if len(successes) < len(seen) - unsure:
            self.violated(
                f"{what}: {len(seen) - unsure} requests were taken for sure, and {len(successes)} are recorded so"
            )
        asked_for = sum(one.trigger_type != 0 for one in attempts)
        sent = message.kept and not endpoint.deleted and not endpoint.options.cancels(message.word)
        if delivery is not None and asked_for < delivery.resent and sent:
            self.violated(f"{what}: {delivery.resent} resends were promised, and {asked_for} are recorded")
        if self.clock_was_set or endpoint.again or turn_at == FOREVER:
            return
        self._check_nothing_scheduled_after_a_success(what, attempts, wall_at)
        if delivery is not None and delivery.manual:
            return
        previous = None
        for step, attempt in enumerate(attempts):
            began = wall_at(attempt.timestamp)
            if step > len(ladder_s):
                if not self.taken_over(wall_at(attempts[0].timestamp) - 2, began):
                    self.violated(f"{what}: {step + 1} attempts, more than the ladder has")
                return
            if previous is not None:
                base = ladder_s[step - 1]
                asked = _asked(seen, attempts[step - 1], wall_at)
                least = base * (1 - self.jitter) if asked is None else min(max(asked, base), 2 * base)
                if began < previous + least - 0.02 and not self.taken_over(previous, began):
                    self.violated(
                        f"{what}: attempt {step + 1} at {began:.3f} came too early: the one before ended at "
                        f"{previous:.3f}, and the ladder says {base:g} s"
                        + ("" if asked is None else f", its receiver {asked:g} s")
                    )
                latest = previous + (2 * base if asked is not None else base * (1 + self.jitter)) + self.patience_s
                if began > latest and not self.disturbed(endpoint, previous, began):
                    self.violated(f"{what}: attempt {step + 1} at {began:.3f} came late: it was due by {latest:.3f}")
            elif not message.by_outbox and message.accepted_at is not None:
                ready = max(message.accepted_at, message.later, turn_at) + endpoint.options.batch_wait_s
                latest = ready + self.patience_s
                if began > latest and not self.disturbed(endpoint, message.accepted_at, began):
                    self.violated(f"{what}: its first attempt at {began:.3f} came late: it was due by {latest:.3f}")
                if message.later and began < message.later - 0.02:
                    self.violated(f"{what}: its first attempt at {began:.3f} came before {message.later:.3f}")
            previous = began + attempt.response_duration_ms / 1000
            if attempt.status == 0 and attempt is not attempts[-1] and not self.taken_over(began - 2, previous + 60):
                self.violated(f"{what}: it succeeded, and there was another attempt")

    def _check_nothing_scheduled_after_a_success(self, what: str, attempts: Sequence[Any], wall_at: Any) -> None:
        """Whatever attempt succeeded, one by hand too: the schedule of the delivery is over then."""
        for one in attempts:
            if one.status != 0:
                continue
            ended = wall_at(one.timestamp) + one.response_duration_ms / 1000
            for later in attempts:
                began = wall_at(later.timestamp)
                if later.trigger_type != 0 or began < ended + 0.1:
                    continue
                if not self.troubles.between(ended - 1, began, leaving_out=_OF_RECEIVERS):
                    self.violated(f"{what}: it succeeded at {ended:.3f}, and has a scheduled attempt at {began:.3f}")
                    return

    def disturbed(self, endpoint: Endpoint, since: float, until: float) -> bool:
        """Whether there was a reason to be late in that time."""
        if endpoint.options.breaks and self.troubles.between(0.0, until):
            return True
        return endpoint.throttle is not None or self.troubles.between(since - 60.0, until, leaving_out=("receiver",))

    def taken_over(self, since: float, until: float) -> bool:
        """Whether another engine may have made an attempt anew, because this one could not record what came of it."""
        return self.lag_s > 0 and self.troubles.between(since, until, leaving_out=_OF_RECEIVERS)

    def check_next(self, what: str, endpoint: Endpoint, made: Sequence[Any], next_at: float, wall_at: Any) -> None:
        """What a delivery that waits says of its next attempt: so long after the last one, as the ladder says."""
        ladder_s = endpoint.options.ladder_s
        if not made or len(made) > len(ladder_s) or not endpoint.options.keeps_times:
            return
        last = made[-1]
        ended = wall_at(last.timestamp) + last.response_duration_ms / 1000
        self.check_due(what, endpoint, len(made), ended, last.response_status_code, next_at)

    def check_due(
        self, what: str, endpoint: Endpoint, step: int, ended: float, status_code: int, next_at: float
    ) -> None:
        """A step of the ladder was taken by an attempt that ended then: the next one is due as that says."""
        ladder_s = endpoint.options.ladder_s
        if step > len(ladder_s):
            return
        base = ladder_s[step - 1]
        longest = 2 * base if status_code in (429, 502, 503) else base * (1 + self.jitter)
        if not ended + base * (1 - self.jitter) - 0.05 <= next_at <= ended + longest + 0.1 + self.write_s:
            self.violated(
                f"{what}: after {step} attempts, the last of which ended at {ended:.3f}, the next one is due at "
                f"{next_at:.3f}, and the ladder says {base:g} s"
            )

    def check_order(self, endpoint: Endpoint, firsts: Sequence[tuple[float, Message]]) -> None:
        """First attempts begin in the order in which messages were accepted, give or take a moment.

        ``firsts``: when each began, in the order of beginning. Endpoints that get their messages in order have a rule
        of their own, see :class:`Lines`.
        """
        if endpoint.options.in_order or not endpoint.options.keeps_times:
            return
        newest: Message | None = None
        newest_at = 0.0
        for began, message in firsts:
            if message.accepted_at is None or message.by_outbox or message.later:
                continue
            if (
                newest is not None
                and message.accepted_at + self.order_s < newest.began_at
                and newest_at + self.order_s < began
                and not self.troubles.between(message.accepted_at - 1, began, leaving_out=_OF_RECEIVERS)
            ):
                self.violated(
                    f"message {message.number} to {endpoint.key}, accepted at {message.accepted_at:.3f}, had its first "
                    f"attempt at {began:.3f}, after that of message {newest.number}, of {newest.began_at:.3f}"
                )
                return
            if newest is None or message.began_at > newest.began_at:
                newest, newest_at = message, began

    def check_window(
        self, endpoint: Endpoint, outcomes: Sequence[tuple[float, bool]], asked: Sequence[tuple[float, bool]]
    ) -> None:
        """An endpoint is disabled by the failure window exactly when failure has lasted.

        ``outcomes``: when each scheduled attempt ended, and whether it succeeded; a success by hand counts too.
        ``asked``: those that somebody asked for and that failed, which count where a recovery asked for them.
        """
        by_window = [at for at, reason in endpoint.disabled_by_engine if "failure window" in reason]
        longest, _ = self._failing(endpoint, [*outcomes, *asked])
        if by_window and longest < self.window_s - 2.0:
            self.violated(f"{endpoint.key} was disabled after {longest:.1f} s of failure, less than the window")
        _, crossed_at = self._failing(endpoint, outcomes)
        if crossed_at is not None and endpoint.values(endpoint.closed, crossed_at - 1, crossed_at + 5) == [False]:
            self.violated(f"{endpoint.key} has failed for the whole window at {crossed_at:.3f}, and was not disabled")

    def _failing(self, endpoint: Endpoint, outcomes: Sequence[tuple[float, bool]]) -> tuple[float, float | None]:
        """For how long it failed at most without a success, and when that surely was a whole window."""
        # Enabling what is enabled changes nothing.
        resets = sorted(
            span.sure
            for before, span in zip(endpoint.closed, endpoint.closed[1:], strict=False)
            if before.value and not span.value
        )
        began: float | None = None
        longest = 0.0
        crossed_at: float | None = None
        last = began_at = failed_ran = 0.0
        unsure = False
        for at, success in sorted(outcomes):
            if any(last < reset <= at for reset in resets):
                began = None
            last = at
            if success:
                began = None
                continue
            ran = self.ran(at)
            # A silence of two windows ends it; one of about that length may, or may not.
            silence_s, failed_ran = ran - failed_ran, ran
            if silence_s > 2 * self.window_s + 2.0:
                began = None
            elif silence_s > 2 * self.window_s - 2.0:
                unsure = True
            if began is None:
                began, began_at, unsure = ran, at, False
            lost_s = self.kept_every_s * sum(life.killed and began_at < life.ended <= at for life in self.lives)
            longest = max(longest, ran - began)
            if ran - lost_s - began >= self.window_s + 2.0 and crossed_at is None and not unsure:
                crossed_at = at
        return longest, crossed_at

    def taken(self) -> dict[str, int]:
        """How many messages each endpoint has taken."""
        counts: dict[str, int] = defaultdict(int)
        for delivery in self.deliveries.values():
            if any(verdict == "success" for _, verdict in delivery.requests):
                counts[delivery.endpoint.key] += 1
        return counts


def _asked(requests: Sequence[tuple[Received, str]], attempt: Any, wall_at: Any) -> float | None:
    """For how long the receiver asked to be left alone, in its response to this attempt."""
    if attempt.response_status_code not in (429, 502, 503):
        return None
    began = wall_at(attempt.timestamp)
    ended = began + attempt.response_duration_ms / 1000
    for request, _ in requests:
        if began - 0.002 <= request.at <= ended + 0.002:
            return request.retry_after
    return None
