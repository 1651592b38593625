"""Responses to requests with an idempotency key: kept until they expire, and found again."""

from __future__ import annotations

import pytest
from records import SECOND, START

from webhook_engine.store.kept_responses import KeptResponse
from webhook_engine.store.seam import Store
from webhook_engine.store.sqlite import SqliteStore

DAY = 86_400 * SECOND


def kept(number: int, text: bytes = b"encrypted", expires_at: int = START + DAY) -> KeptResponse:
    return KeptResponse(digest=bytes([number]) * 32, encrypted=text, expires_at=expires_at)


async def test_a_response_is_found_until_it_expires(store: Store) -> None:
    await store.kept_responses.keep([kept(1), kept(2, b"other")])
    assert await store.kept_responses.find(kept(1).digest, START) == kept(1)
    assert await store.kept_responses.find(kept(2).digest, START + DAY - 1) == kept(2, b"other")
    assert await store.kept_responses.find(kept(2).digest, START + DAY) is None
    assert await store.kept_responses.find(kept(3).digest, START) is None


async def test_a_later_response_takes_the_place_of_the_one_before(store: Store) -> None:
    await store.kept_responses.keep([kept(1)])
    later = kept(1, b"again", START + 2 * DAY)
    await store.kept_responses.keep([later])
    assert await store.kept_responses.find(later.digest, START + DAY) == later


async def test_digests_are_walked_in_their_order(store: Store) -> None:
    await store.kept_responses.keep([kept(number) for number in (3, 1, 2)])
    await store.kept_responses.keep([kept(4, expires_at=START)])
    first = await store.kept_responses.digests(b"", 2, START)
    assert list(first) == [kept(1).digest, kept(2).digest]
    assert list(await store.kept_responses.digests(first[-1], 2, START)) == [kept(3).digest]


async def test_a_key_is_claimed_by_one_request_at_a_time(store: Store) -> None:
    if isinstance(store, SqliteStore):
        pytest.skip("the one engine of a file knows by itself which requests are under way")
    digest = kept(1).digest
    assert await store.kept_responses.claim(digest, START, START + SECOND)
    assert not await store.kept_responses.claim(digest, START, START + SECOND)
    await store.kept_responses.give_up(digest)
    assert await store.kept_responses.claim(digest, START, START + SECOND)
    assert await store.kept_responses.claim(digest, START + SECOND, START + 2 * SECOND)  # nobody has given it up
    await store.kept_responses.keep([kept(1)])
    assert not await store.kept_responses.claim(digest, START + SECOND, START + 2 * SECOND)
    await store.kept_responses.give_up(digest)
    assert await store.kept_responses.find(digest, START) == kept(1)
