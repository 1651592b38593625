"""Which secrets of an endpoint are still valid after a rotation."""

from __future__ import annotations

import pytest

from webhook_engine.errors import RotationLimitError
from webhook_engine.model import OldKey
from webhook_engine.resources.rotation import MAX_OLD_KEYS, still_valid


def test_the_replaced_secret_comes_first_and_expired_ones_go() -> None:
    old = (OldKey(b"young", 200), OldKey(b"old", 100))
    assert still_valid(b"current", old, now=100, grace=50) == (OldKey(b"current", 150), OldKey(b"young", 200))


def test_without_grace_the_replaced_secret_is_dropped_at_once() -> None:
    old = (OldKey(b"young", 200),)
    assert still_valid(b"current", old, now=100, grace=0) == old


def test_a_secret_that_returns_is_not_an_old_one_any_more() -> None:
    old = (OldKey(b"b", 200), OldKey(b"a", 150))
    kept = still_valid(b"c", old, now=100, grace=50, is_new=lambda encrypted: encrypted == b"a")
    assert kept == (OldKey(b"c", 150), OldKey(b"b", 200))
    same = still_valid(b"c", old, now=100, grace=50, is_new=lambda encrypted: encrypted == b"c")
    assert same == old


def test_ten_rotations_succeed_and_the_eleventh_waits() -> None:
    keys: tuple[OldKey, ...] = ()
    for number in range(MAX_OLD_KEYS):
        keys = still_valid(b"%d" % number, keys, now=number, grace=1000)
    with pytest.raises(RotationLimitError, match=r"1970-01-01T00:00:00\.001"):
        still_valid(b"x", keys, now=100, grace=1000)
    assert still_valid(b"x", keys, now=100, grace=0) == keys
    assert len(still_valid(b"x", keys, now=1000, grace=1000)) == MAX_OLD_KEYS
