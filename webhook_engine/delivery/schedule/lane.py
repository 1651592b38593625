"""A lane: the due deliveries of one endpoint, how many it may send at once, and what is known of its health.

Pure decisions, no I/O, no awaiting; only its own methods change it. What does not fit in memory stays in the database:
``stored_from`` is the earliest instant of it, and the dispatcher refills the lane when it has room again.

What a lane gets from the database, it gets one after the other::

      resting ──── no target ─────────────► loading ──┐
         ▲ ├────── something stored is due ► refilling ┤
         │ └────── target closed ──────────► settling ─┤
         └─────────────────────────────────────────────┘

Where something it needs cannot be had, it is ``held`` for a while, and begins nothing. Where its endpoint has become
another engine's, it is ``gone``, and takes nothing in either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set
from enum import Enum, IntEnum
from math import inf

import msgspec

from webhook_engine.delivery.attempt.attempt import EndpointState
from webhook_engine.delivery.attempt.breaker import CLOSED, Breaker, resumed
from webhook_engine.delivery.attempt.health import WELL
from webhook_engine.delivery.attempt.outcome import Outcome, Reaction
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.schedule.orders import Orders
from webhook_engine.model import DeliveryStatus, Health
from webhook_engine.store.records import Due, StoredEndpoint

__all__ = ["RETRIES", "SILENT", "Lane", "Load", "Memory", "Standing"]

INITIAL_LIMIT = 2
EARNED_BY_RESPONSE = 2
"""Requests that a lane may begin after a response, and before the next, without being silent."""
MAX_QUEUED = 4_096
MAX_QUEUED_UNPROVEN = 256
ROOM_FOR_MANUAL = 16
"""Attempts that a person asked for are taken up although the lane is full: up to so many."""
MAX_QUEUED_BYTES = 4 * 1024 * 1024
MAX_QUEUED_IN_ALL = 65_536
MAX_QUEUED_BYTES_IN_ALL = 128 * 1024 * 1024
RETRY_TURN = 4
RETRIES, SILENT = 1, 2
"""The lanes of one standing stand in four lines: whether they have nothing but retries, and whether they are silent."""
SHORTEST_PAUSE_S = 0.000_001
"""No timer is finer: to wait for less is to look again at the same instant, for ever by a clock that tests advance."""


class Standing(IntEnum):
    """What a lane's last responses say of it; lower goes first."""

    PROVEN = 0
    UNTRIED = 1
    SLOW = 2
    SUSPECT = 3


class Load(Enum):
    """What a lane is getting from the database."""

    RESTING = "resting"
    """Nothing."""
    LOADING = "loading"
    """Its target."""
    REFILLING = "refilling"
    """Deliveries that are due."""
    SETTLING = "settling"
    """It ends what is scheduled, because its endpoint is disabled or deleted."""


# By names of their own where a delivery passes: Python 3.11 takes as long to find a member in its class as for a call.
_RESTING, _LOADING, _REFILLING, _SETTLING = Load
_QUICK, _SLOW, _OVERLOADED, _TIMEOUT = Reaction
_PROVEN = Standing.PROVEN


class Memory:
    """What all lanes together hold in memory; those that are not proven may fill half of it."""

    def __init__(self, max_queued: int = MAX_QUEUED_IN_ALL, max_bytes: int = MAX_QUEUED_BYTES_IN_ALL) -> None:
        self.queued = 0
        self.bytes = 0
        self._max = (max_queued, max_bytes)
        self._max_unproven = (max_queued // 2, max_bytes // 2)

    def full(self, standing: Standing) -> bool:
        """Whether a lane of this standing should leave what it has in the database."""
        max_queued, max_bytes = self._max if standing is _PROVEN else self._max_unproven
        return self.queued >= max_queued or self.bytes >= max_bytes


class Lane:
    """The due deliveries of one endpoint."""

    def __init__(self, endpoint_id: str, limit: int, memory: Memory | None = None) -> None:
        self.endpoint_id = endpoint_id
        self.target: Target | None = None
        """What to send to and how; ``None`` until loaded, or after an edit."""
        self._closed = False
        self._disabling: str | None = None
        """Why its endpoint is disabled by an outcome that is not committed yet; ``None`` if none does."""
        self.health: Health = WELL
        self.max_limit = limit
        self.limit = min(INITIAL_LIMIT, limit)
        self.standing = Standing.UNTRIED
        self.breaker: Breaker | None = None
        """Its circuit breaker, if its endpoint asks for one."""
        self.paused_until: float | None = None
        """By the monotonic clock: from then on it is probed; ``None``: it does not wait."""
        self.in_flight = 0
        self.unanswered = 0
        """Requests begun since the last response came."""
        self.unrecorded = 0
        """Attempts made whose outcome is not committed yet."""
        self.queued = 0
        """Deliveries in memory that wait for their turn."""
        self.load = _RESTING
        self.shard: int | None = None
        """That of its endpoint; unknown until its target was read once."""
        self.gone = False
        """Whether its endpoint is another engine's now; what is under way is still recorded by this one."""
        self.held = False
        """Whether it waits, because something it needs could not be had."""
        self._times_held = 0
        self.edits = 0
        """Edits of the endpoint so far; a target that was read before one is out of date."""
        self._memory = memory or Memory()
        self._stored_from: int | None = None
        self._older_from: int | None = None
        """Earliest instant of what new messages must not keep waiting in the database: retries, or what is unknown."""
        self._manual_stored = False
        """Whether an attempt that a person asked for is only in the database; it does not wait for the queues."""
        self._overflowed = False
        self._manual: deque[Due] = deque()
        self._first: deque[Due] = deque()
        self._retries: deque[Due] = deque()
        self._known: dict[str, int] = {}
        """Keys of what is queued, in flight or unrecorded, with the sizes of their payloads."""
        self._known_bytes = 0
        self._left_during_refill: set[str] = set()
        self._expunged_during_refill: set[str] = set()
        self._bytes = 0
        self._turn = 0
        self.orders = Orders()

    @property
    def scheduled(self) -> int:
        """Those of them that are made by the schedule."""
        return len(self._first) + len(self._retries)

    @property
    def line(self) -> int:
        """In which of the lines of its standing it stands: ``RETRIES`` and ``SILENT``, or neither.

        A lane is silent that has begun what its last response allowed: it must get another before it may have more
        while many want.
        """
        only_retries = not (self._first or self._manual)
        return only_retries | SILENT if self.in_flight > 0 and self.unanswered >= EARNED_BY_RESPONSE else only_retries

    @property
    def known(self) -> int:
        """Deliveries in memory, queued, in flight or unrecorded."""
        return len(self._known)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is going on."""
        return not self._known and self.load is _RESTING

    @property
    def refilling(self) -> bool:
        """Whether the database is being read for it."""
        return self.load is _REFILLING

    @property
    def closed(self) -> bool:
        """Whether its endpoint is disabled or deleted; while its target is being read anew, whether it was before."""
        return self._closed if self.target is None else self.target.closed

    @property
    def disabling(self) -> bool:
        """Whether it is closed by an outcome that is not committed yet."""
        return self._disabling is not None

    def state(self) -> EndpointState:
        """What is known of its endpoint now."""
        return EndpointState(self.health, self.closed, self.breaker)

    @property
    def stored_from(self) -> int | None:
        """Earliest instant of what is only in the database; ``None`` also while there is no room to take it up.

        A lane without room has something queued, and is seen to after each attempt: until then there is nothing to do.
        """
        return self._stored_from if self._stored_from is not None and (self.room() or self._manual_stored) else None

    # Its target: what it sends to.

    def begin_loading(self) -> None:
        """Its target is being read."""
        self.load = _LOADING

    def loaded(self, target: Target, stored: StoredEndpoint) -> None:
        """Its target was read; what was recorded of the endpoint counts, unless this lane knows better."""
        if not (self.in_flight or self.unrecorded) and self.health is WELL:
            self.health = stored.health
        if stored.health.first_failure_at is not None and self.standing is Standing.UNTRIED:
            # It was failing before the engine started: it must not take the slot of one that may be well.
            self.standing = Standing.SUSPECT
        # A disabling that is not committed yet is not in what was read.
        disabled = self._disabling is not None and not target.closed
        self.target = target.disabled(self._disabling) if disabled else target
        self.shard = stored.shard

    def protect(self, now: int, ran: int, monotonic: float) -> None:
        """Its target is there: give it the circuit breaker that this asks for, as another run may have left it."""
        if self.target is None or not self.target.breaks:
            self.breaker = self.paused_until = None
        elif self.breaker is None or (self.breaker.until is not None and self.health.paused_until is None):
            until = self.health.paused_until
            self.breaker = CLOSED if until is None else resumed(ran, until - now)
            self.pause(ran, monotonic)

    def pause(self, ran: int, monotonic: float) -> None:
        """Wait for as long as its circuit breaker says."""
        until = None if self.breaker is None else self.breaker.until
        self.paused_until = None if until is None else monotonic + (until - ran) / 1_000_000

    def pause_left(self, monotonic: float) -> float:
        """Seconds until it may be probed; infinite while it is. What a person asked for does not wait."""
        if self.paused_until is None or self._manual:
            return 0.0
        left = self.paused_until - monotonic
        if left >= SHORTEST_PAUSE_S:
            return left
        return inf if self.in_flight else 0.0

    def put_back(self, due: Due, until: int) -> None:
        """A delivery waits for those that are to go with it: it is where it was, in the database."""
        self.unanswered = max(0, self.unanswered - 1)
        self.over(due)
        self.note_stored(until, older=True)

    def without_gathering(self, found: Sequence[Due], now: int) -> Sequence[Due]:
        """Those of a refill that do not wait for others to go with them."""
        if not self.orders.gathering:
            return found
        rest: list[Due] = []
        for due in found:
            until = None if due.manual_id else self.orders.gathering_until(due.order_key, now)
            if until is None:
                rest.append(due)
            else:
                self.note_stored(until, older=True)
        return rest

    def leave(self) -> None:
        """Its endpoint is another engine's: forget all that is not under way. It is in the database."""
        self.gone = True
        self.outdate()
        self.clear()
        for due in self._manual:
            self.forget(_key(due))
            self._unqueued(due)
        self._manual.clear()
        self._manual_stored = self._overflowed = False
        self._stored_from = self._older_from = None

    def come_back(self) -> None:
        """Its endpoint is this engine's again."""
        self.gone = False

    def end_loading(self) -> None:
        """The reading of its target is over."""
        self.load = _RESTING

    def outdate(self) -> None:
        """Its target must be read anew, and one that is being read just now may be out of date."""
        self._closed = self.closed
        self.target = None
        self.orders.stop_gathering()
        self.edits += 1
        self.release()

    def edited(self, stored: StoredEndpoint) -> None:
        """Its endpoint was edited, enabled, disabled or deleted."""
        if self.target is None or self.target.closed or stored.endpoint.disabled:
            self.health = stored.health
        self.outdate()
        self._closed = stored.endpoint.disabled or stored.deleted
        if self._closed:
            self.clear()

    # What it waits for.

    def hold(self) -> int:
        """Something it needs could not be had: nothing is begun until :meth:`release`.

        Returns how many times in a row, with no attempt made in between.
        """
        if not self.held:
            self.held = True
            self._times_held += 1
        return self._times_held

    def release(self) -> None:
        """It may be tried again."""
        self.held = False

    def begin_settling(self) -> None:
        """What is scheduled is being ended in the database."""
        self.clear()
        self._stored_from = None
        self.load = _SETTLING

    def end_settling(self) -> None:
        """That is over."""
        self.load = _RESTING

    # Its requests.

    def begin_request(self) -> None:
        """A request of it begins."""
        self.in_flight += 1
        self.unanswered += 1

    def end_request(self) -> None:
        """A request of it is over, however it ended."""
        self.in_flight -= 1

    def postpone(self, due: Due) -> None:
        """An attempt was not made, because the engine lacked something: it is where it was, in the database."""
        self.unanswered = max(0, self.unanswered - 1)
        self.over(due)
        if due.manual_id:
            self.note_manual(due.due_at)
        else:
            self.note_stored(due.due_at, older=True)

    def apply(self, outcome: Outcome) -> None:
        """An attempt was made, or given up: learn from it, and wait for it to be recorded."""
        self.unrecorded += 1
        self._times_held = 0
        if outcome.reaction is not None:
            self.learn(outcome.reaction)
        if outcome.health is not None:
            self.health = outcome.health
        if outcome.breaker is not None:
            self.breaker = outcome.breaker
        if outcome.closed is not None:
            self.target = outcome.closed
            self._disabling = outcome.closed.endpoint.disabled_reason or ""
            self.clear()

    def recorded(self, outcome: Outcome) -> None:
        """An outcome is committed: what it scheduled can be found in the database from here on."""
        due, change, condition = outcome.due, outcome.change, outcome.condition
        self.unrecorded -= 1
        if outcome.closed is not None:
            self._disabling = None
        self.over(due)
        if due.manual_id and change.status is DeliveryStatus.SUCCEEDED:
            self.drop(due.message_id)
        if change.due_at is not None:
            self.note_stored(change.due_at, older=True)
        if condition is not None and condition.disabled_at is not None:
            # A target that is being read just now may be the one from before.
            self.outdate()
            self.note_stored(condition.disabled_at)

    # What is queued, and what is left in the database.

    def room(self) -> int:
        """How many more deliveries may be kept in memory; one always may."""
        queued = self.queued
        if self._bytes >= MAX_QUEUED_BYTES or self._memory.full(self.standing):
            most = 1
        else:
            most = MAX_QUEUED if self.standing is _PROVEN else MAX_QUEUED_UNPROVEN
        return max(0, most - queued)

    def refill_size(self, most: int) -> tuple[int, int]:
        """How many deliveries, and bytes of payload, to read so that at least one new is found and at most ``most``.

        What is known may be read once more, so it is counted on top.
        """
        room_bytes = max(1, MAX_QUEUED_BYTES - self._bytes)
        waiting, waiting_bytes = self.orders.gathering, self.orders.gathering_bytes
        return min(most, self.room()) + len(self._known) + waiting + 1, room_bytes + self._known_bytes + waiting_bytes

    def wants_refill(self, now: int) -> bool:
        """Whether the database has something due that memory has room for.

        A lane that always has new messages asks for what is older all the same, lest that never has its turn.
        """
        if self.load is not _RESTING or self.held or self.gone:
            return False
        if self._manual_stored:
            return True
        if self.queued > self.max_limit:
            return not self._retries and self._older_from is not None and self._older_from <= now and self.room() > 0
        stored_from = self.stored_from
        return stored_from is not None and stored_from <= now

    def note_stored(self, due_at: int, *, older: bool = False) -> None:
        """Something of this lane is due at ``due_at``, and only in the database.

        ``older``: it may be older than what new messages bring, and must not be kept waiting by them.
        """
        if self.gone:
            return
        if self._stored_from is None or due_at < self._stored_from:
            self._stored_from = due_at
        if older and (self._older_from is None or due_at < self._older_from):
            self._older_from = due_at

    def note_accepted(self, due_at: int, now: int) -> None:
        """Another engine accepted deliveries, only the database has them: what comes after them goes there too."""
        if due_at <= now:
            self._overflowed = True
        self.note_stored(due_at)

    def note_manual(self, due_at: int) -> None:
        """An attempt that a person asked for is only in the database, unless so many are here that it must wait."""
        self._manual_stored = not self.gone and len(self._manual) < ROOM_FOR_MANUAL
        self.note_stored(due_at, older=True)

    def push_new(self, due: Due) -> bool:
        """Queue a new delivery, but not before those that found no room earlier; ``False`` as for :meth:`push`."""
        if self._overflowed or not self.push(due):
            self._overflowed = True
            return False
        return True

    def caught_up(self) -> None:
        """All that is due is in memory again."""
        self._overflowed = False

    def push(self, due: Due) -> bool:
        """Queue a delivery that is due; ``False`` if there is no room, and it must be noted as stored."""
        key = _key(due)
        if self.gone or key in self._known or key in self._left_during_refill or self.orders.waits(due):
            return True
        if not (self.room() or (due.manual_id and len(self._manual) < ROOM_FOR_MANUAL)):
            return False
        if due.message_id in self._expunged_during_refill:
            due = _without_payload(due)
        size = len(due.payload or b"")
        self._known[key] = size
        self._known_bytes += size
        self._bytes += size
        self.queued += 1
        self._memory.queued += 1
        self._memory.bytes += size
        if due.manual_id:
            self._manual.append(due)
        elif due.attempt_count:
            self._retries.append(due)
        else:
            self._first.append(due)
        return True

    def begin_refill(self) -> None:
        """From now until :meth:`end_refill`, what leaves the lane is remembered: the read may show it as it was."""
        self.load = _REFILLING
        self._stored_from = self._older_from = None
        self._manual_stored = False

    def end_refill(self) -> None:
        """The read is over."""
        self.load = _RESTING
        self._left_during_refill.clear()
        self._expunged_during_refill.clear()

    def drop(self, message_id: str) -> None:
        """A scheduled delivery need not be made any more (it succeeded otherwise, or was cancelled).

        One in flight stays known until its outcome is committed.
        """
        if self.refilling:
            self._left_during_refill.add(message_id)
        if message_id not in self._known:
            # Of many that are cancelled at once, most are only in the database: the queues are not searched for them.
            return
        for queue in (self._first, self._retries):
            for due in queue:
                if due.message_id == message_id:
                    queue.remove(due)
                    self._unqueued(due)
                    self.forget(message_id)
                    return

    def expunge(self, message_ids: Set[str]) -> None:
        """The payloads of these messages are deleted: what is queued of them, or being read, loses its own too."""
        if self.refilling:
            self._expunged_during_refill |= message_ids
        # The keys of manual attempts are not those of their messages.
        if not self._manual and self._known.keys().isdisjoint(message_ids):
            return
        for queue in (self._manual, self._first, self._retries):
            for index, due in enumerate(queue):
                if due.message_id in message_ids and due.payload is not None:
                    queue[index] = _without_payload(due)
                    self._payload_gone(_key(due), len(due.payload))

    def _payload_gone(self, key: str, size: int) -> None:
        self._known[key] -= size
        self._known_bytes -= size
        self._bytes -= size
        self._memory.bytes -= size

    def forget(self, key: str) -> None:
        """An outcome is committed: the database says from here on what is to come."""
        self._known_bytes -= self._known.pop(key, 0)
        if self.refilling:
            self._left_during_refill.add(key)

    def clear(self) -> None:
        """Forget what is queued and scheduled, because the endpoint is disabled or deleted. Manual attempts stay."""
        for queue in (self._first, self._retries):
            for due in queue:
                self.forget(due.message_id)
                self._unqueued(due)
            queue.clear()

    def next(self, *, retries_allowed: bool) -> Due | None:
        """Take the delivery whose turn it is."""
        while (due := self._next_queued(retries_allowed=retries_allowed)) is not None:
            self._unqueued(due)
            if self.orders.begin(due):
                return due
            self.forget(due.message_id)
        return None

    def over(self, due: Due) -> None:
        """A delivery is not under way any more. What becomes of it, and who waited for that, the database knows."""
        self.forget(_key(due))
        if (next_due_at := self.orders.end(due)) is not None:
            self.note_stored(next_due_at, older=True)

    def _next_queued(self, *, retries_allowed: bool) -> Due | None:
        if self._manual:
            return self._manual.popleft()
        retries = self._retries if retries_allowed else None
        self._turn += 1
        if retries and (not self._first or self._turn % RETRY_TURN == 0):
            return retries.popleft()
        return self._first.popleft() if self._first else None

    def _unqueued(self, due: Due) -> None:
        size = len(due.payload or b"")
        self._bytes -= size
        self._memory.bytes -= size
        self._memory.queued -= 1
        self.queued -= 1

    def learn(self, reaction: Reaction) -> None:
        """Adapt the limit to what an attempt showed."""
        if reaction is not _TIMEOUT:
            self.unanswered = 0
        if reaction is _QUICK:
            self.limit = min(self.limit + 1, self.max_limit)
            self.standing = _PROVEN
        elif reaction is _SLOW:
            self.standing = Standing.SLOW
        elif reaction is _OVERLOADED:
            self.limit = max(self.limit // 2, 1)
            self.standing = Standing.SUSPECT
        else:
            self.limit = 1
            self.standing = Standing.SUSPECT


def _key(due: Due) -> str:
    return due.manual_id or due.message_id


def _without_payload(due: Due) -> Due:
    return msgspec.structs.replace(due, payload=None)
