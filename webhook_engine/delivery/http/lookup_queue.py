"""The queue of DNS look-ups. A look-up that hangs occupies its slot for long, so slots are rationed.

Pure decisions, no I/O, no awaiting. Three rules keep names that hang from delaying the look-ups of others:

* New names, and names that were slow the last time, together get only a share of the slots, and slow ones only a
  share of that.
* An application that holds slots gets at most a third of the free ones. However many applications have names that
  hang, slots stay free for the others.
* Applications take turns. A name that several of them need is looked up once, at the first turn of any of them.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from enum import IntEnum

__all__ = ["LookUp", "LookUpQueue", "Pace"]

PLACES = 128
FREE_SHARE = 3


class Pace(IntEnum):
    """How fast the look-up of a name is likely to be; fastest first."""

    QUICK = 0
    """The last look-up was quick."""
    UNKNOWN = 1
    SLOW = 2
    """The last look-up was slow."""


SHARES = {Pace.QUICK: 1.0, Pace.UNKNOWN: 3 / 4, Pace.SLOW: 1 / 4}
"""Share of all slots for names of this pace or slower."""


class LookUp:
    """A name to look up."""

    __slots__ = ("applications", "begun", "charged_to", "host", "pace")

    def __init__(self, host: str, pace: Pace) -> None:
        self.host = host
        self.pace = pace
        self.applications: dict[str, None] = {}
        """The applications that need it, in order."""
        self.charged_to = ""
        """The application whose turn it took."""
        self.begun = False


class LookUpQueue:
    """Waiting look-ups, and the slots in use."""

    def __init__(self, places: int = PLACES) -> None:
        self._most = {pace: max(1, int(places * share)) for pace, share in SHARES.items()}
        self._held: dict[Pace, Counter[str]] = {pace: Counter() for pace in Pace}
        """Slots in use, by the application that they are charged to."""
        self._waiting: dict[Pace, OrderedDict[str, dict[LookUp, None]]] = {pace: OrderedDict() for pace in Pace}

    def __len__(self) -> int:
        return len({look_up for turns in self._waiting.values() for line in turns.values() for look_up in line})

    def add(self, look_up: LookUp, application_id: str) -> None:
        """Queue a look-up for an application; harmless if it is queued already, or has begun."""
        if look_up.begun or application_id in look_up.applications:
            return
        look_up.applications[application_id] = None
        self._waiting[look_up.pace].setdefault(application_id, {})[look_up] = None

    def withdraw(self, look_up: LookUp) -> None:
        """Remove a look-up that nobody needs any more."""
        turns = self._waiting[look_up.pace]
        for application_id in look_up.applications:
            line = turns[application_id]
            del line[look_up]
            if not line:
                del turns[application_id]
        look_up.applications.clear()

    def take(self) -> LookUp | None:
        """Take the next look-up to begin; ``None`` if there is none or no slot. :meth:`release` frees its slot."""
        for pace in Pace:
            room = self._room(pace)
            if room <= 0:
                continue
            held, turns = self._held[pace], self._waiting[pace]
            for application_id, line in turns.items():
                if held[application_id] < math.ceil(room / FREE_SHARE):
                    turns.move_to_end(application_id)
                    look_up = next(iter(line))
                    self.withdraw(look_up)
                    look_up.begun = True
                    look_up.charged_to = application_id
                    held[application_id] += 1
                    return look_up
        return None

    def release(self, look_up: LookUp) -> None:
        """It is finished."""
        held = self._held[look_up.pace]
        held[look_up.charged_to] -= 1
        if not held[look_up.charged_to]:
            del held[look_up.charged_to]

    def _room(self, pace: Pace) -> int:
        """Free slots for a name of this pace, which leave the shares of faster names untouched."""
        held, room = 0, self._most[Pace.QUICK]
        for other in reversed(Pace):
            held += self._held[other].total()
            if other <= pace:
                room = min(room, self._most[other] - held)
        return room
