"""A receiver's behaviour that checks in which order messages come, and answers as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable

from receivers import Reply, Request

__all__ = ["OrderChecker"]


class OrderChecker:
    """For messages with the payload ``{"key": …, "n": 0, 1, …}``, numbered for each key in the order of acceptance.

    A message may come again, but none may come before all that were accepted before it were answered with success, and
    none while another of its key is answered. What breaks that is in ``broken``.
    """

    def __init__(self, fails: Callable[[str, int], bool] = lambda key, number: False, delay: float = 0.0) -> None:
        self._fails = fails
        self._delay = delay
        self.next: dict[str, int] = defaultdict(int)
        """The number that is expected next."""
        self.came: list[tuple[str, int]] = []
        self.broken: list[str] = []
        self.side_by_side = 0
        """The most keys that were answered at once."""
        self._answering: dict[str, int] = {}
        self.batches: list[int] = []

    async def __call__(self, request: Request) -> Reply:
        body = json.loads(request.body)
        payloads = [one["payload"] for one in body] if isinstance(body, list) else [body]
        self.batches.append(len(payloads))
        key = payloads[0]["key"]
        if key in self._answering:
            self.broken.append(f"{payloads} while {key} {self._answering[key]} is answered")
        self._answering[key] = payloads[0]["n"]
        self.side_by_side = max(self.side_by_side, len(self._answering))
        expected = self.next[key]
        for payload in payloads:
            self.came.append((payload["key"], payload["n"]))
            if payload["key"] != key:
                self.broken.append(f"{payload} together with those of {key}")
            if payload["n"] > expected:
                self.broken.append(f"{key} {payload['n']} instead of {expected}")
            expected = max(expected, payload["n"] + 1)
        try:
            await asyncio.sleep(self._delay)
            if any(self._fails(key, payload["n"]) for payload in payloads):
                return Reply(500)
            self.next[key] = max(self.next[key], expected)
            return Reply(200)
        finally:
            self._answering.pop(key, None)
