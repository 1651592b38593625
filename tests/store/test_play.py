"""The inboxes of Play: what they received is kept within limits, and gone with them."""

from __future__ import annotations

from records import SECOND, START

from webhook_engine.store.play import PlayInbox, PlayLimits, PlayRequest, PlayResponse
from webhook_engine.store.seam import Store

LIMITS = PlayLimits(inboxes=10, requests=5, body_bytes=1_000, total_bytes=10_000)
NEVER = START * 2


def inbox(token: str, expires_at: int = NEVER) -> PlayInbox:
    return PlayInbox(token=token, created_at=START, expires_at=expires_at)


def request(number: int, body: bytes = b"{}") -> PlayRequest:
    return PlayRequest(
        id=f"r{number:03}",
        received_at=START + number,
        method="POST",
        path="/?a=1",
        headers=[("host", "x")],
        body=body,
    )


async def bodies(store: Store, token: str) -> list[bytes]:
    return [each.body for each in await store.play.requests(token, "", 100)]


async def test_a_request_is_kept_as_it_came(store: Store) -> None:
    await store.play.add(inbox("a"), LIMITS)
    assert await store.play.receive("a", request(1), LIMITS) == inbox("a")
    assert list(await store.play.requests("a", "", 10)) == [request(1)]
    assert await store.play.receive("none", request(2), LIMITS) is None


async def test_the_newest_requests_stay(store: Store) -> None:
    await store.play.add(inbox("a"), LIMITS)
    for number in range(8):
        await store.play.receive("a", request(number, b"%d" % number), LIMITS)
    assert await bodies(store, "a") == [b"3", b"4", b"5", b"6", b"7"]
    assert [each.body for each in await store.play.requests("a", "r005", 100)] == [b"6", b"7"]
    await store.play.receive("a", request(9, b"x" * 999), LIMITS)
    assert await bodies(store, "a") == [b"7", b"x" * 999]


async def test_an_inbox_answers_as_it_is_told_to(store: Store) -> None:
    await store.play.add(inbox("a"), LIMITS)
    response = PlayResponse(
        status=503, delay_ms=20, headers=(("X-A", "b"),), body="{}", fail_status=429, failures_left=2
    )
    changed = await store.play.set_response("a", response, START)
    assert changed is not None
    assert changed.response == response
    assert await store.play.get("a", START) == changed
    assert await store.play.set_response("none", response, START) is None


async def test_an_inbox_fails_so_often_as_it_is_told_to(store: Store) -> None:
    await store.play.add(inbox("a"), LIMITS)
    await store.play.set_response("a", PlayResponse(failures_left=2), START)
    left = []
    for number in range(4):
        found = await store.play.receive("a", request(number), LIMITS)
        assert found is not None
        left.append(found.response.failures_left)
    assert left == [2, 1, 0, 0]


async def test_an_inbox_is_shared_until_it_is_no_more(store: Store) -> None:
    for token in ("a", "b"):
        await store.play.add(inbox(token, START + SECOND), LIMITS)
    shared = await store.play.share("a", "v", START)
    assert shared is not None
    assert shared.view_token == "v"
    assert await store.play.shared("v", START) == shared
    assert await store.play.shared("a", START) is None
    assert await store.play.shared("v", START + SECOND) is None
    assert await store.play.share("none", "w", START) is None
    await store.play.share("a", None, START)
    assert await store.play.shared("v", START) is None


async def test_an_inbox_that_expired_is_gone_with_what_it_received(store: Store) -> None:
    for token, expires_at in (("old", START + SECOND), ("young", NEVER)):
        await store.play.add(inbox(token, expires_at), LIMITS)
        await store.play.receive(token, request(1, token.encode()), LIMITS)
    assert await store.play.get("old", START + SECOND) is None
    while await store.upkeep.purge(START + 2 * SECOND, 1):
        pass
    assert await bodies(store, "old") == []
    assert await bodies(store, "young") == [b"young"]


async def test_where_there_are_too_many_the_never_used_go_first(store: Store) -> None:
    limits = PlayLimits(inboxes=2, requests=5, body_bytes=1_000, total_bytes=10_000)
    await store.play.add(inbox("used"), limits)
    await store.play.receive("used", request(1), limits)
    await store.play.add(inbox("unused"), limits)
    await store.play.add(inbox("new"), limits)
    assert await store.play.get("unused", START) is None
    assert await store.play.get("used", START) is not None
    assert await store.play.get("new", START) is not None


async def test_all_together_are_bounded_and_one_can_be_cleared(store: Store) -> None:
    for token in ("a", "b"):
        await store.play.add(inbox(token), LIMITS)
        for number in range(3):
            await store.play.receive(token, request(number, b"x" * 300), LIMITS)
    left = await store.play.trim(1_000)
    assert 0 < left <= 1_000
    assert len(await bodies(store, "a")) + len(await bodies(store, "b")) < 6
    await store.play.clear("b")
    assert await bodies(store, "b") == []
