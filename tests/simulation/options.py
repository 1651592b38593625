"""What endpoints of a simulated world ask for beyond the ordinary, and what each of it means, said in a line."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from webhook_engine import OutgoingWebhook

__all__ = [
    "CANCELLED_WORD",
    "FILTERS",
    "KINDS",
    "TRANSFORMATION",
    "WORDS",
    "Options",
    "change",
    "changed",
    "drawn",
    "wanted_words",
]

KINDS = ("order", "stop", "batches", "breaker", "filters", "transformations", "own-schedule", "own-timeout")
"""Each is switched on its own in a world."""
WORDS = ("a", "b", "c")
"""Each payload has one; filters go by it."""
TRANSFORMATION, CANCELLED_WORD = "change", "c"
FILTERS: dict[str, tuple[dict[str, Any] | None, Collection[str]]] = {
    "none": (None, WORDS),
    "equal": ({"k": "a"}, ("a",)),
    "in": ({"k": {"$in": ["a", "b"]}}, ("a", "b")),
    "not": ({"$not": {"k": "a"}}, ("b", "c")),
    "or": ({"$or": [{"k": "c"}, {"n": {"$lt": 0}}]}, ("c",)),
}


@dataclass
class Options:
    """Those of one endpoint."""

    ladder_s: list[float]
    timeout_s: float
    in_order: bool = False
    stops: bool = False
    """Whether its order waits for somebody where the retries of a message are exhausted."""
    batch_size: int = 1
    batch_wait_s: float = 0.0
    breaks: bool = False
    """Whether it has a circuit breaker."""
    transformed: bool = False
    """Whether its payloads are changed, and some not sent at all; see :func:`change`."""
    filter: str = "none"
    asked: dict[str, Any] = field(default_factory=dict)
    """As the engine is asked for them."""

    def cancels(self, word: str) -> bool:
        """Whether its transformation cancels messages with this word."""
        return self.transformed and word == CANCELLED_WORD

    @property
    def reads_first(self) -> bool:
        """Whether something of a message is read between its turn and its attempt."""
        return self.batch_size > 1 or self.transformed

    @property
    def keeps_times(self) -> bool:
        """Whether the next attempt of a message is scheduled by its own attempts alone."""
        return not self.breaks and self.batch_size == 1


def drawn(chance: random.Random, kinds: Collection[str], ladder_s: list[float], timeout_s: float) -> Options:
    """Draw those of one endpoint, of the kinds that there are in its world."""
    having = {kind for kind in sorted(kinds) if chance.random() < 0.6}
    options = Options(ladder_s, timeout_s)
    if "order" in having:
        options.in_order, options.stops = True, "stop" in having
        options.asked |= {"ordering": "fifo", "ordering_on_exhausted": "stop" if options.stops else None}
        if "batches" in having:
            options.batch_size, options.batch_wait_s = chance.choice((2, 5, 20)), chance.choice((0.0, 0.5, 3.0))
            options.asked["batch_size"] = options.batch_size
            if options.batch_wait_s:
                options.asked["batch_wait"] = f"{round(options.batch_wait_s * 1000)}ms"
    if "breaker" in having:
        options.breaks = options.asked["circuit_breaker"] = True
    if "transformations" in having and options.batch_size == 1:
        options.transformed, options.asked["transformation"] = True, TRANSFORMATION
    if "filters" in having:
        options.filter = chance.choice(sorted(FILTERS))
        options.asked["filter"] = FILTERS[options.filter][0]
    if "own-schedule" in having:
        options.ladder_s = [delay * chance.choice((0.5, 1.0, 2.0)) for delay in ladder_s[: chance.randint(0, 4)]]
        options.asked["retry_schedule"] = [f"{round(delay * 1000)}ms" for delay in options.ladder_s]
    if "own-timeout" in having:
        options.timeout_s = timeout_s * chance.choice((0.5, 1.5))
        options.asked["timeout"] = f"{round(options.timeout_s * 1000)}ms"
    return options


async def change(webhook: OutgoingWebhook) -> None:
    """What stands for the functions of a platform: it adds to each payload, and cancels those with one of the words."""
    assert isinstance(webhook.payload, dict)
    webhook.cancel = webhook.payload["k"] == CANCELLED_WORD
    webhook.payload["changed"] = webhook.payload["n"] * 2


def changed(payload: bytes) -> dict[str, Any]:
    """What a receiver gets of a payload that was changed so."""
    said: dict[str, Any] = json.loads(payload)
    return said | {"changed": said["n"] * 2}


def wanted_words(name: str) -> Collection[str]:
    """The words whose messages a filter lets through."""
    return FILTERS[name][1]
