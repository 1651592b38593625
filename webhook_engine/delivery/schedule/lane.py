"""A lane: the due deliveries of one endpoint, its concurrency limit, and what is known of its health.

Pure decisions, no I/O, no awaiting; only its own methods change it. What does not fit in memory stays in the database:
``stored_from`` is its earliest due time, and the dispatcher refills the lane when it has room again.

A lane does one thing with the database at a time::

      resting ──── no target ─────────────► loading ──┐
         ▲ ├────── something stored is due ► refilling ┤
         │ └────── target closed ──────────► settling ─┤
         └─────────────────────────────────────────────┘

If something that it needs is unavailable, it is ``held`` for a while, and begins nothing. If its endpoint now belongs
to another engine, it is ``gone``, and takes nothing in either.
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
"""Requests that a lane may begin after a response before it counts as silent."""
MAX_QUEUED = 4_096
MAX_QUEUED_UNPROVEN = 256
ROOM_FOR_MANUAL = 16
"""Manual attempts that are taken up even if the lane is full."""
MAX_QUEUED_BYTES = 4 * 1024 * 1024
MAX_QUEUED_IN_ALL = 65_536
MAX_QUEUED_BYTES_IN_ALL = 128 * 1024 * 1024
RETRY_TURN = 4
RETRIES, SILENT = 1, 2
"""The lanes of one standing wait in four lines: flags for having only retries, and for being silent."""
SHORTEST_PAUSE_S = 0.000_001
"""Minimum wait in seconds: a shorter one would check again at the same instant, for ever with a manual clock."""


class Standing(IntEnum):
    """A lane's class by its last responses; the lowest goes first."""

    PROVEN = 0
    UNTRIED = 1
    SLOW = 2
    SUSPECT = 3


class Load(Enum):
    """What a lane is doing with the database."""

    RESTING = "resting"
    """Nothing."""
    LOADING = "loading"
    """Loading its target."""
    REFILLING = "refilling"
    """Reading due deliveries."""
    SETTLING = "settling"
    """Settling scheduled deliveries, because its endpoint is disabled or deleted."""


# Bound to names on the hot path, since on Python 3.11 looking up an enum member costs as much as a call.
_RESTING, _LOADING, _REFILLING, _SETTLING = Load
_QUICK, _SLOW, _OVERLOADED, _TIMEOUT = Reaction
_PROVEN = Standing.PROVEN


class Memory:
    """The memory that all lanes share; those that are not proven may fill half of it."""

    def __init__(self, max_queued: int = MAX_QUEUED_IN_ALL, max_bytes: int = MAX_QUEUED_BYTES_IN_ALL) -> None:
        self.queued = 0
        self.bytes = 0
        self._max = (max_queued, max_bytes)
        self._max_unproven = (max_queued // 2, max_bytes // 2)

    def full(self, standing: Standing) -> bool:
        """Whether a lane of this standing should leave its deliveries in the database."""
        max_queued, max_bytes = self._max if standing is _PROVEN else self._max_unproven
        return self.queued >= max_queued or self.bytes >= max_bytes


class Lane:
    """The due deliveries of one endpoint."""

    def __init__(self, endpoint_id: str, limit: int, memory: Memory | None = None) -> None:
        self.endpoint_id = endpoint_id
        self.target: Target | None = None
        """The prepared endpoint; ``None`` until loaded, or after an edit."""
        self._closed = False
        self._disabling: str | None = None
        """Why an uncommitted outcome disables its endpoint; ``None`` if none does."""
        self.health: Health = WELL
        self.max_limit = limit
        self.limit = min(INITIAL_LIMIT, limit)
        self.standing = Standing.UNTRIED
        self.breaker: Breaker | None = None
        """Its circuit breaker, if its endpoint has one."""
        self.paused_until: float | None = None
        """When its circuit breaker's pause ends, by the monotonic clock; ``None``: it is not paused."""
        self.in_flight = 0
        self.unanswered = 0
        """Requests begun since the last response."""
        self.unrecorded = 0
        """Attempts made whose outcome is not committed yet."""
        self.queued = 0
        """Deliveries queued in memory."""
        self.load = _RESTING
        self.shard: int | None = None
        """The shard of its endpoint; ``None`` until its target was read once."""
        self.gone = False
        """Whether its endpoint now belongs to another engine; this one still records attempts in flight."""
        self.held = False
        """Whether it is on hold, because something that it needs is unavailable."""
        self._times_held = 0
        self.edits = 0
        """Counts edits of the endpoint; a target read before an edit is outdated."""
        self._memory = memory or Memory()
        self._stored_from: int | None = None
        self._older_from: int | None = None
        """Earliest due time of stored retries, or of unknown deliveries, which new messages must not delay."""
        self._manual_stored = False
        """Whether a manual attempt is only in the database; it does not wait for the queues."""
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
        """Those of them that are scheduled attempts."""
        return len(self._first) + len(self._retries)

    @property
    def line(self) -> int:
        """The line of its standing that it waits in: ``RETRIES`` and ``SILENT``, or neither.

        A lane is silent if it has begun all requests that its last response allowed: while slots are scarce, it needs
        another response first.
        """
        only_retries = not (self._first or self._manual)
        return only_retries | SILENT if self.in_flight > 0 and self.unanswered >= EARNED_BY_RESPONSE else only_retries

    @property
    def known(self) -> int:
        """Deliveries in memory, queued, in flight or unrecorded."""
        return len(self._known)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, in flight, unrecorded or being read."""
        return not self._known and self.load is _RESTING

    @property
    def refilling(self) -> bool:
        """Whether the database is being read for it."""
        return self.load is _REFILLING

    @property
    def closed(self) -> bool:
        """Whether its endpoint is disabled or deleted; during a reload of its target, whether it was before."""
        return self._closed if self.target is None else self.target.closed

    @property
    def disabling(self) -> bool:
        """Whether an uncommitted outcome closes it."""
        return self._disabling is not None

    def state(self) -> EndpointState:
        """The present state of its endpoint."""
        return EndpointState(self.health, self.closed, self.breaker)

    @property
    def stored_from(self) -> int | None:
        """Earliest due time of what is only in the database; ``None`` also while there is no room for it.

        A lane without room has something queued, and is attended to after each attempt, so nothing is to do until then.
        """
        return self._stored_from if self._stored_from is not None and (self.room() or self._manual_stored) else None

    # Its target.

    def begin_loading(self) -> None:
        """Note that its target is being read."""
        self.load = _LOADING

    def loaded(self, target: Target, stored: StoredEndpoint) -> None:
        """Set the target that was read, and the recorded state of the endpoint, unless this lane has a newer one."""
        if not (self.in_flight or self.unrecorded) and self.health is WELL:
            self.health = stored.health
        if stored.health.first_failure_at is not None and self.standing is Standing.UNTRIED:
            # It was failing before the engine started, so it must not take the slot of a healthy one.
            self.standing = Standing.SUSPECT
        # The read does not include an uncommitted disabling.
        disabled = self._disabling is not None and not target.closed
        self.target = target.disabled(self._disabling) if disabled else target
        self.shard = stored.shard

    def protect(self, now: int, ran: int, monotonic: float) -> None:
        """Set up the circuit breaker of the loaded target, with a pause that an earlier run may have left."""
        if self.target is None or not self.target.breaks:
            self.breaker = self.paused_until = None
        elif self.breaker is None or (self.breaker.until is not None and self.health.paused_until is None):
            until = self.health.paused_until
            self.breaker = CLOSED if until is None else resumed(ran, until - now)
            self.pause(ran, monotonic)

    def pause(self, ran: int, monotonic: float) -> None:
        """Pause for as long as its circuit breaker says."""
        until = None if self.breaker is None else self.breaker.until
        self.paused_until = None if until is None else monotonic + (until - ran) / 1_000_000

    def pause_left(self, monotonic: float) -> float:
        """Seconds until it may be probed; infinite during a probe. Manual attempts do not wait."""
        if self.paused_until is None or self._manual:
            return 0.0
        left = self.paused_until - monotonic
        if left >= SHORTEST_PAUSE_S:
            return left
        return inf if self.in_flight else 0.0

    def put_back(self, due: Due, until: int) -> None:
        """Put back a delivery that waits for a larger batch: it stays in the database."""
        self.unanswered = max(0, self.unanswered - 1)
        self.over(due)
        self.note_stored(until, older=True)

    def without_gathering(self, found: Sequence[Due], now: int) -> Sequence[Due]:
        """Those of a refill that do not wait for a larger batch."""
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
        """Forget everything not in flight: its endpoint now belongs to another engine, and the database has it."""
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
        """Return to work, because its endpoint belongs to this engine again."""
        self.gone = False

    def end_loading(self) -> None:
        """Note the end of reading its target."""
        self.load = _RESTING

    def outdate(self) -> None:
        """Mark its target as outdated, and also one that is being read right now."""
        self._closed = self.closed
        self.target = None
        self.orders.stop_gathering()
        self.edits += 1
        self.release()

    def edited(self, stored: StoredEndpoint) -> None:
        """Apply an edit, enabling, disabling or deletion of its endpoint."""
        if self.target is None or self.target.closed or stored.endpoint.disabled:
            self.health = stored.health
        self.outdate()
        self._closed = stored.endpoint.disabled or stored.deleted
        if self._closed:
            self.clear()

    # Waiting.

    def hold(self) -> int:
        """Begin nothing until :meth:`release`, because something that it needs is unavailable.

        Returns how many times in a row, with no attempt made in between.
        """
        if not self.held:
            self.held = True
            self._times_held += 1
        return self._times_held

    def release(self) -> None:
        """End the hold."""
        self.held = False

    def begin_settling(self) -> None:
        """Note that scheduled deliveries are being settled in the database."""
        self.clear()
        self._stored_from = None
        self.load = _SETTLING

    def end_settling(self) -> None:
        """Note the end of settling."""
        self.load = _RESTING

    # Its requests.

    def begin_request(self) -> None:
        """Count a request that begins."""
        self.in_flight += 1
        self.unanswered += 1

    def end_request(self) -> None:
        """Count a request that has ended, in whatever way."""
        self.in_flight -= 1

    def postpone(self, due: Due) -> None:
        """Put back a delivery whose attempt could not be made: it stays in the database."""
        self.unanswered = max(0, self.unanswered - 1)
        self.over(due)
        if due.manual_id:
            self.note_manual(due.due_at)
        else:
            self.note_stored(due.due_at, older=True)

    def apply(self, outcome: Outcome) -> None:
        """Apply the outcome of an attempt, and wait until it is recorded."""
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
        """Handle a committed outcome: from now on the database has what it scheduled."""
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
            # A read in progress may return the old target.
            self.outdate()
            self.note_stored(condition.disabled_at)

    # Deliveries queued, and those only in the database.

    def room(self) -> int:
        """How many more deliveries may be kept in memory; at least one."""
        queued = self.queued
        if self._bytes >= MAX_QUEUED_BYTES or self._memory.full(self.standing):
            most = 1
        else:
            most = MAX_QUEUED if self.standing is _PROVEN else MAX_QUEUED_UNPROVEN
        return max(0, most - queued)

    def refill_size(self, most: int) -> tuple[int, int]:
        """How many deliveries, and bytes of payload, to read to find at least one new delivery and at most ``most``.

        Known deliveries may be read again, so they are added.
        """
        room_bytes = max(1, MAX_QUEUED_BYTES - self._bytes)
        waiting, waiting_bytes = self.orders.gathering, self.orders.gathering_bytes
        return min(most, self.room()) + len(self._known) + waiting + 1, room_bytes + self._known_bytes + waiting_bytes

    def wants_refill(self, now: int) -> bool:
        """Whether the database has something due that memory has room for.

        A lane that always has new messages still reads older deliveries, so that these are not starved.
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
        """Note that the database has something of this lane, due at ``due_at``, that is not in memory.

        ``older``: it may be older than new messages, and must not be delayed by them.
        """
        if self.gone:
            return
        if self._stored_from is None or due_at < self._stored_from:
            self._stored_from = due_at
        if older and (self._older_from is None or due_at < self._older_from):
            self._older_from = due_at

    def note_accepted(self, due_at: int, now: int) -> None:
        """Note deliveries accepted by another engine: they are in the database, and later ones are left there too."""
        if due_at <= now:
            self._overflowed = True
        self.note_stored(due_at)

    def note_manual(self, due_at: int) -> None:
        """Note a manual attempt that is only in the database; it waits if too many are in memory."""
        self._manual_stored = not self.gone and len(self._manual) < ROOM_FOR_MANUAL
        self.note_stored(due_at, older=True)

    def push_new(self, due: Due) -> bool:
        """Queue a new delivery, but not ahead of earlier ones without room; ``False`` as for :meth:`push`."""
        if self._overflowed or not self.push(due):
            self._overflowed = True
            return False
        return True

    def caught_up(self) -> None:
        """Note that everything due is in memory again."""
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
        """Begin a refill: remember what leaves the lane until :meth:`end_refill`, since the read may be outdated."""
        self.load = _REFILLING
        self._stored_from = self._older_from = None
        self._manual_stored = False

    def end_refill(self) -> None:
        """End a refill."""
        self.load = _RESTING
        self._left_during_refill.clear()
        self._expunged_during_refill.clear()

    def drop(self, message_id: str) -> None:
        """Remove a scheduled delivery (it succeeded by a manual attempt, or was cancelled).

        One in flight stays known until its outcome is committed.
        """
        if self.refilling:
            self._left_during_refill.add(message_id)
        if message_id not in self._known:
            # When many are cancelled at once, most are only in the database: do not search the queues for them.
            return
        for queue in (self._first, self._retries):
            for due in queue:
                if due.message_id == message_id:
                    queue.remove(due)
                    self._unqueued(due)
                    self.forget(message_id)
                    return

    def expunge(self, message_ids: Set[str]) -> None:
        """Remove the deleted payloads of these messages from what is queued or being read."""
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
        """Forget a delivery whose outcome is committed: the database has its state."""
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
        """Take the next delivery."""
        while (due := self._next_queued(retries_allowed=retries_allowed)) is not None:
            self._unqueued(due)
            if self.orders.begin(due):
                return due
            self.forget(due.message_id)
        return None

    def over(self, due: Due) -> None:
        """Note that a delivery is not in flight any more. The database has its state, and those waiting behind it."""
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
