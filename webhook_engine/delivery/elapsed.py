"""How long the engine ran, and what is due when a clock was set. Pure: the caller gives what the clocks say.

What elapsed time decides (a failure window, the wait for a retry) is measured in the time that the engine *ran*: by the
clock that only runs on, without pauses of the process, and without the time between two runs.
"""

from __future__ import annotations

import msgspec

__all__ = ["JUMP", "PAUSE", "Clocks", "Elapsed", "Moment", "due_again", "elapsed"]

JUMP = 100_000
"""Microseconds by which the clock may differ from the time that passed without having been set."""
PAUSE = 1_000_000
"""Microseconds without a look after which the process was stopped, or too busy to do anything."""
LIKE = 10
"""By a tenth of it two lengths of time may differ and still be the same pause."""
EPOCH = 365 * 86_400 * 1_000_000
"""No more can pass between two looks; a clock that claims it was replaced by another one, as in a test."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """Now."""

    now: int
    """What the clock says."""
    ran: int
    """Microseconds that engines have run on this database."""


class Clocks(msgspec.Struct, frozen=True, gc=False):
    """What the clocks say at one moment, in microseconds."""

    wall: int
    """Since 1970; anybody may set it."""
    monotonic: int
    """It only runs on; a test may move it on."""
    process: int
    """It runs on as long as the process is there; nobody moves it."""


class Elapsed(msgspec.Struct, frozen=True, gc=False):
    """What happened between two looks."""

    ran: int
    """Microseconds that the engine ran."""
    jump: int
    """Microseconds by which the wall clock was set, below 0 if back."""


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

    ``due_ran`` is when it is due in the time that the engine runs, ``None`` if it was due at once. What was
    ``promised`` for an instant of the clock stays at that.
    """
    if promised:
        return due_at
    right = now if due_ran is None else now + max(0, due_ran - ran)
    return right if due_at - right >= JUMP else due_at
