"""Revocations of tokens: as few as say the same, until the tokens have expired by themselves."""

from __future__ import annotations

from records import START

from webhook_engine.store.revocations import Revocation
from webhook_engine.store.seam import Store


def revocation(up_to: str, effective_at: int = START, drop_at: int = START + 9, subject: str = "app:1") -> Revocation:
    return Revocation(subject=subject, up_to=up_to, effective_at=effective_at, drop_at=drop_at)


async def test_one_that_reaches_further_and_is_no_later_takes_the_place_of_another(store: Store) -> None:
    other = revocation("a", subject="app:2")
    await store.revocations.add([revocation("a"), revocation("b"), other])
    assert sorted(await store.revocations.all(), key=lambda one: one.subject) == [revocation("b"), other]


async def test_one_that_takes_effect_later_stands_beside_it(store: Store) -> None:
    later = revocation("b", effective_at=START + 5)
    await store.revocations.add([revocation("a"), later])
    assert sorted(await store.revocations.all(), key=lambda one: one.up_to) == [revocation("a"), later]


async def test_of_the_same_the_earlier_start_and_the_later_end_count(store: Store) -> None:
    await store.revocations.add([revocation("a", effective_at=START - 5, drop_at=START + 1)])
    await store.revocations.add([revocation("a", effective_at=START, drop_at=START + 9)])
    assert list(await store.revocations.all()) == [revocation("a", effective_at=START - 5, drop_at=START + 9)]
