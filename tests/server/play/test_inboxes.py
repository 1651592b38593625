"""Inboxes take anything, within bounds, and answer as their owner chose."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from webhook_engine import ManualClock

from .conftest import Play


async def test_bytes_that_are_no_text_are_kept_as_they_are(play: Play) -> None:
    inbox = await play.inbox()
    await play.client.post(inbox["url"], data=b"\xff\x00\xfe")
    [request] = await play.received(inbox["token"])
    assert request["encoding"] == "base64"
    assert base64.b64decode(str(request["body"])) == b"\xff\x00\xfe"


async def test_others_see_what_arrives_and_cannot_change_it(play: Play) -> None:
    inbox = await play.inbox()
    token = inbox["token"]
    control = f"{play.url}/play/inbox/{token}/share"
    async with play.client.post(control) as answer:
        url = (await answer.json())["shareUrl"]
    async with play.client.post(control) as answer:
        assert (await answer.json())["shareUrl"] == url
    await play.client.post(inbox["url"] + "deep", data=f"at {token}", headers={"X-At": inbox["url"]})
    async with play.client.get(url + "/requests") as answer:
        text = await answer.text()
        seen = await answer.json()
    assert token not in text
    assert [request["path"] for request in seen["requests"]] == ["/play/in/…/deep"]
    view = url.rpartition("/")[2]
    for method, path in (
        ("GET", f"inbox/{view}"),
        ("PUT", f"inbox/{view}"),
        ("POST", f"in/{view}/"),
        ("PUT", f"shared/{view}/requests"),
    ):
        async with play.client.request(method, f"{play.url}/play/{path}", json={}) as answer:
            assert answer.status in {404, 405}, path
    async with play.client.get(url) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
    await play.client.delete(control)
    for gone in (url, url + "/requests"):
        async with play.client.get(gone) as answer:
            assert answer.status == 404


async def test_only_new_requests_are_told(play: Play) -> None:
    inbox = await play.inbox()
    await play.client.post(inbox["url"], data=b"1")
    [first] = await play.received(inbox["token"])
    await play.client.post(inbox["url"], data=b"2")
    [second] = await play.received(inbox["token"], after=str(first["id"]))
    assert second["body"] == "2"


async def test_requests_can_be_cleared(play: Play) -> None:
    inbox = await play.inbox()
    await play.client.post(inbox["url"])
    async with play.client.delete(f"{play.url}/play/inbox/{inbox['token']}") as answer:
        assert answer.status == 204
    assert await play.received(inbox["token"]) == []


@pytest.mark.parametrize("settings", [{"play__max_requests": 3}])
async def test_the_oldest_requests_go_first(play: Play) -> None:
    inbox = await play.inbox()
    for number in range(5):
        await play.client.post(inbox["url"], data=str(number))
    assert [request["body"] for request in await play.received(inbox["token"])] == ["2", "3", "4"]


@pytest.mark.parametrize("settings", [{"play__max_body": "1kB"}])
async def test_large_bodies_are_refused_and_many_push_out_the_oldest(play: Play) -> None:
    inbox = await play.inbox()
    async with play.client.post(inbox["url"], data=b"x" * 1001) as answer:
        assert answer.status == 413
    for _ in range(20):
        await play.client.post(inbox["url"], data=b"x" * 1000)
    assert len(await play.received(inbox["token"])) == 16


@pytest.mark.parametrize("settings", [{"play__max_inboxes": 3}])
async def test_the_inbox_that_was_idle_for_longest_makes_room(play: Play, clock: ManualClock) -> None:
    inboxes = []
    for _ in range(3):
        inboxes.append(await play.inbox())
        clock.advance(1)
    await play.client.post(inboxes[0]["url"])
    clock.advance(1)
    await play.inbox()
    statuses = [(await play.client.post(inbox["url"])).status for inbox in inboxes]
    assert statuses == [200, 404, 200]


@pytest.mark.parametrize("settings", [{"play__max_inboxes": 3}])
async def test_whoever_makes_many_inboxes_takes_none_that_is_used(play: Play, clock: ManualClock) -> None:
    used = await play.inbox()
    clock.advance(1)
    await play.client.post(used["url"])
    for _ in range(5):
        clock.advance(1)
        await play.inbox()
    assert len(await play.received(used["token"])) == 1


@pytest.mark.parametrize("settings", [{"play__max_body": "1kB"}])
async def test_many_full_inboxes_push_out_the_oldest_requests_of_all(play: Play, clock: ManualClock) -> None:
    first = await play.inbox()
    await play.client.post(first["url"], data=b"first")
    large = {f"x-large-{place}": "x" * 8000 for place in range(3)}
    for _ in range(10):
        clock.advance(1)
        inbox = await play.inbox()
        for _ in range(5):
            await play.client.post(inbox["url"], headers=large)
    assert await play.received(first["token"]) == []
    assert len(await play.received(inbox["token"])) == 5


async def test_an_inbox_expires(play: Play, clock: ManualClock) -> None:
    inbox = await play.inbox()
    clock.advance(timedelta(days=3, seconds=1))
    for path in (f"/play/in/{inbox['token']}/", f"/play/inbox/{inbox['token']}", f"/play/view/{inbox['token']}"):
        async with play.client.get(play.url + path) as answer:
            assert answer.status == 404, path
