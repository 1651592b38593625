"""Which keys may have been seen."""

from __future__ import annotations

import hashlib

from webhook_engine.server.seen_keys import SeenKeys


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def test_what_was_added_is_known_for_a_generation_and_mostly_no_longer_than_two() -> None:
    seen = SeenKeys(100, now=0)
    seen.add(digest(0), now=50)
    assert seen.may_know(digest(0))
    seen.add(digest(1), now=149)
    assert seen.may_know(digest(0))
    seen.add(digest(2), now=249)
    assert not seen.may_know(digest(0))
    assert seen.may_know(digest(1))


def test_what_was_never_added_is_hardly_ever_taken_for_known() -> None:
    seen = SeenKeys(100, now=0)
    for number in range(10_000):
        seen.add(digest(number), now=0)
    assert all(seen.may_know(digest(number)) for number in range(10_000))
    assert sum(seen.may_know(digest(number)) for number in range(10_000, 20_000)) <= 2
