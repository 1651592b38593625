"""A lane: the due deliveries of one endpoint, how many it may send at once, and what is known of its health.

Pure decisions, no I/O, no awaiting. What does not fit in memory stays in the database: ``stored_from`` is the earliest
instant of it, and the dispatcher refills the lane when it has room again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from enum import IntEnum

import msgspec

from webhook_engine.delivery.attempt.health import WELL
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.model import Health
from webhook_engine.store.records import Due

__all__ = ["Lane", "Memory", "Standing", "Verdict"]

INITIAL_LIMIT = 2
EARNED_BY_ANSWER = 2
"""Requests that a lane may begin after an answer, and before the next, without being silent."""
MAX_QUEUED = 4_096
MAX_QUEUED_UNPROVEN = 256
ROOM_FOR_MANUAL = 16
"""Attempts that a person asked for are taken up although the lane is full: up to so many."""
MAX_QUEUED_BYTES = 4 * 1024 * 1024
MAX_QUEUED_IN_ALL = 65_536
MAX_QUEUED_BYTES_IN_ALL = 128 * 1024 * 1024
RETRY_TURN = 4


class Standing(IntEnum):
    """What a lane's last answers say of it; lower goes first."""

    PROVEN = 0
    UNTRIED = 1
    SLOW = 2
    SUSPECT = 3


class Verdict(IntEnum):
    """What an attempt says of the lane."""

    QUICK = 0
    """An answer within a second, whatever it said."""
    SLOW = 1
    """An answer, but late."""
    OVERLOADED = 2
    """The receiver asked for less, or could not be reached."""
    TIMEOUT = 3


class Memory:
    """What all lanes together hold in memory; those that are not proven may fill half of it."""

    def __init__(self, max_queued: int = MAX_QUEUED_IN_ALL, max_bytes: int = MAX_QUEUED_BYTES_IN_ALL) -> None:
        self.queued = 0
        self.bytes = 0
        self._max = (max_queued, max_bytes)
        self._max_unproven = (max_queued // 2, max_bytes // 2)

    def full(self, standing: Standing) -> bool:
        """Whether a lane of this standing should leave what it has in the database."""
        max_queued, max_bytes = self._max if standing is Standing.PROVEN else self._max_unproven
        return self.queued >= max_queued or self.bytes >= max_bytes


class Lane:
    """The due deliveries of one endpoint."""

    def __init__(self, endpoint_id: str, limit: int, memory: Memory | None = None) -> None:
        self.endpoint_id = endpoint_id
        self.target: Target | None = None
        """What to send to and how; ``None`` until loaded, or after an edit."""
        self.health: Health = WELL
        self.max_limit = limit
        self.limit = min(INITIAL_LIMIT, limit)
        self.standing = Standing.UNTRIED
        self.in_flight = 0
        self.unanswered = 0
        """Requests begun since the last answer came."""
        self.unrecorded = 0
        """Attempts made whose outcome is not committed yet."""
        self.queued = 0
        """Deliveries in memory that wait for their turn."""
        self.refilling = False
        self.loading = False
        self.settling = 0
        """Settlements under way."""
        self.edits = 0
        """Edits of the endpoint so far; a target that was read before one is out of date."""
        self._memory = memory or Memory()
        self._stored_from: int | None = None
        self._older_from: int | None = None
        """Earliest instant of what new messages must not keep waiting in the database: retries, or what is unknown."""
        self._manual_stored = False
        """Whether an attempt that a person asked for is only in the database; it does not wait for the queues."""
        self._overflowed = False
        self.troubled = False
        """Whether it waits because something it needs could not be had."""
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

    @property
    def scheduled(self) -> int:
        """Those of them that are made by the schedule."""
        return len(self._first) + len(self._retries)

    @property
    def only_retries(self) -> bool:
        """Whether nothing but retries waits."""
        return not (self._manual or self._first)

    @property
    def silent(self) -> bool:
        """Whether it has begun what its last answer allowed, and is to be heard of before it may have more of many."""
        return self.in_flight > 0 and self.unanswered >= EARNED_BY_ANSWER

    @property
    def known(self) -> int:
        """Deliveries in memory, queued, in flight or unrecorded."""
        return len(self._known)

    @property
    def idle(self) -> bool:
        """Whether nothing at all is going on."""
        return not (self._known or self.refilling or self.loading or self.settling)

    @property
    def stored_from(self) -> int | None:
        """Earliest instant of what is only in the database; ``None`` also while there is no room to take it up.

        A lane without room has something queued, and is seen to after each attempt: until then there is nothing to do.
        """
        return self._stored_from if self._stored_from is not None and (self.room() or self._manual_stored) else None

    @stored_from.setter
    def stored_from(self, instant: int | None) -> None:
        self._stored_from = instant

    def room(self) -> int:
        """How many more deliveries may be kept in memory; one always may."""
        queued = self.queued
        if self._bytes >= MAX_QUEUED_BYTES or self._memory.full(self.standing):
            most = 1
        else:
            most = MAX_QUEUED if self.standing is Standing.PROVEN else MAX_QUEUED_UNPROVEN
        return max(0, most - queued)

    def refill_size(self, most: int) -> tuple[int, int]:
        """How many deliveries, and bytes of payload, to read so that at least one new is found and at most ``most``.

        What is known may be read once more, so it is counted on top.
        """
        room_bytes = max(1, MAX_QUEUED_BYTES - self._bytes)
        return min(most, self.room()) + len(self._known) + 1, room_bytes + self._known_bytes

    def wants_refill(self, now: int) -> bool:
        """Whether the database has something due that memory has room for.

        A lane that always has new messages asks for what is older all the same, lest that never has its turn.
        """
        if self.refilling:
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
        if self._stored_from is None or due_at < self._stored_from:
            self._stored_from = due_at
        if older and (self._older_from is None or due_at < self._older_from):
            self._older_from = due_at

    def note_manual(self, due_at: int) -> None:
        """An attempt that a person asked for is only in the database, unless so many are here that it must wait."""
        self._manual_stored = len(self._manual) < ROOM_FOR_MANUAL
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
        if key in self._known or key in self._left_during_refill:
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
        self.refilling = True
        self._stored_from = self._older_from = None
        self._manual_stored = False

    def end_refill(self) -> None:
        """The read is over."""
        self.refilling = False
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
        due = self._next_queued(retries_allowed=retries_allowed)
        if due is not None:
            self._unqueued(due)
        return due

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

    def learn(self, verdict: Verdict) -> None:
        """Adapt the limit to what an attempt showed."""
        if verdict is not Verdict.TIMEOUT:
            self.unanswered = 0
        if verdict is Verdict.QUICK:
            self.limit = min(self.limit + 1, self.max_limit)
            self.standing = Standing.PROVEN
        elif verdict is Verdict.SLOW:
            self.standing = Standing.SLOW
        elif verdict is Verdict.OVERLOADED:
            self.limit = max(self.limit // 2, 1)
            self.standing = Standing.SUSPECT
        else:
            self.limit = 1
            self.standing = Standing.SUSPECT


def _key(due: Due) -> str:
    return due.manual_id or due.message_id


def _without_payload(due: Due) -> Due:
    return msgspec.structs.replace(due, payload=None)
