"""The engine's running time, and due times after the clock was set. Pure: the caller reads the clocks.

What elapsed time decides (the failure window, the delay of a retry) is measured in the engine's *running time*: by the
monotonic clock, without pauses of the process, and without the time between two runs.
"""

from __future__ import annotations

import msgspec

__all__ = ["JUMP", "PAUSE", "Clocks", "Elapsed", "Moment", "due_again", "elapsed"]

JUMP = 100_000
"""Microseconds by which the clock may differ from the elapsed time without counting as set."""
PAUSE = 1_000_000
"""Microseconds between two readings that count as a pause: the process was suspended, or too busy."""
LIKE = 10
"""Two durations that differ by less than one part in this many count as the same pause."""
EPOCH = 365 * 86_400 * 1_000_000
"""Microseconds that cannot pass between two readings: a clock that shows more was replaced, as in a test."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """Now."""

    now: int
    """The wall clock's time, in microseconds since the epoch."""
    ran: int
    """Microseconds that engines have run on this database."""


class Clocks(msgspec.Struct, frozen=True, gc=False):
    """The readings of the clocks at one moment, in microseconds."""

    wall: int
    """Since the epoch; it may be set."""
    monotonic: int
    """It never goes back; a test may advance it."""
    process: int
    """Real time since the process started; not even a test changes it."""


class Elapsed(msgspec.Struct, frozen=True, gc=False):
    """What happened between two looks."""

    ran: int
    """Microseconds of running time."""
    jump: int
    """Microseconds by which the wall clock was set; negative if back."""


NOTHING = Elapsed(0, 0)


def elapsed(before: Clocks, after: Clocks) -> Elapsed:
    """What happened between two looks."""
    passed = after.monotonic - before.monotonic
    jump = after.wall - before.wall - passed
    if -JUMP < jump < JUMP:
        jump = 0
    if passed < 0 or (passed > EPOCH and jump):
        return NOTHING
    if passed > PAUSE // 2:
        real = after.process - before.process
        if real > PAUSE and abs(passed - real) <= real // LIKE:
            passed = min(passed, PAUSE)
    return Elapsed(passed, jump)


def due_again(due_at: int, due_ran: int | None, *, promised: bool, now: int, ran: int) -> int:
    """When something scheduled for ``due_at`` is due by a clock that may have been set since; never later than before.

    ``due_ran`` is when it is due in running time, ``None`` if it was due at once. With ``promised`` it was scheduled
    for a clock time, which stays.
    """
    if promised:
        return due_at
    right = now if due_ran is None else now + max(0, due_ran - ran)
    return right if due_at - right >= JUMP else due_at
