"""Whether a database can be written, as the latest commits tell."""

from __future__ import annotations

from webhook_engine.errors import StoreError
from webhook_engine.store.sqlite.condition import FRESH_S, SAYS_FOR_S, Condition

FULL = StoreError("full")
MALFORMED = StoreError("malformed")


def test_nothing_is_known_at_first() -> None:
    condition = Condition()
    assert condition.problem(0) is None
    assert not condition.is_fresh(0)


def test_a_commit_is_good_news_for_a_moment() -> None:
    condition = Condition()
    condition.committed(10)
    assert condition.is_fresh(10 + FRESH_S / 2)
    assert not condition.is_fresh(10 + FRESH_S)


def test_a_refusal_counts_until_a_commit_succeeds_or_for_a_while() -> None:
    condition = Condition()
    condition.committed(9)
    condition.refused(10, FULL)
    assert condition.problem(10) == FULL
    assert not condition.is_fresh(10)
    assert condition.problem(10 + SAYS_FOR_S) is None
    condition.committed(11)
    assert condition.problem(11) is None


def test_damage_stays_whatever_else_is_written() -> None:
    condition = Condition()
    condition.damaged(MALFORMED)
    condition.committed(10)
    assert condition.problem(10_000) == MALFORMED
