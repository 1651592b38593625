"""What an inbox may answer."""

from __future__ import annotations

import pytest

from .conftest import Play


async def test_an_inbox_answers_as_its_owner_chose(play: Play) -> None:
    inbox = await play.inbox()
    control = f"{play.url}/play/inbox/{inbox['token']}"
    async with play.client.put(control, json={"status": 503, "delayMs": 50}) as answer:
        assert (await answer.json())["status"] == 503
    async with play.client.post(inbox["url"]) as answer:
        assert answer.status == 503
    for wrong in ({"status": 99}, {"status": 600}, {"delayMs": -1}, {"delayMs": 31_000}, {"status": "many"}):
        async with play.client.put(control, json=wrong) as answer:
            assert answer.status == 422, wrong


async def test_an_inbox_answers_with_headers_and_a_body(play: Play) -> None:
    inbox = await play.inbox()
    control = f"{play.url}/play/inbox/{inbox['token']}"
    wanted = {
        "status": 202,
        "headers": [["Retry-After", "7"], ["content-type", "application/json"], ["X-Mine", "1"], ["X-Mine", "2"]],
        "body": '{"ü": 1}',
    }
    async with play.client.put(control, json=wanted) as answer:
        assert (await answer.json())["headers"] == wanted["headers"]
    async with play.client.post(inbox["url"]) as answer:
        assert (answer.status, await answer.text()) == (202, wanted["body"])
        assert answer.content_type == "application/json"
        assert answer.headers["Retry-After"] == "7"
        assert answer.headers.getall("X-Mine") == ["1", "2"]
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_inbox_fails_so_often_and_then_succeeds(play: Play) -> None:
    inbox = await play.inbox()
    control = f"{play.url}/play/inbox/{inbox['token']}"
    await play.client.put(control, json={"status": 201, "failuresLeft": 2, "failStatus": 429, "body": "made"})
    got = []
    for _ in range(4):
        async with play.client.post(inbox["url"]) as answer:
            got.append((answer.status, await answer.text()))
    failed = (429, "Play answers 429, as was chosen on its page\n")
    assert got == [failed, failed, (201, "made"), (201, "made")]
    async with play.client.get(control) as answer:
        assert (await answer.json())["inbox"]["failuresLeft"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": [["Set-Cookie", "a=b"]]},
        {"headers": [["Location", "https://elsewhere.example.com/"]]},
        {"headers": [["Content-Type", "text/html"]]},
        {"headers": [["Content-Type", "text/javascript"]]},
        {"headers": [["Content-Type", "image/svg+xml"]]},
        {"headers": [["X-Accel-Redirect", "/etc/passwd"]]},
        {"headers": [["Content-Security-Policy", ""]]},
        {"headers": [["Content-Length", "1"]]},
        {"headers": [["X-A", "b\r\nSet-Cookie: a=b"]]},
        {"headers": [["X-A", "b" * 1001]]},
        {"headers": [["X-A", "b"]] * 21},
        {"body": "x" * 65_537},
        {"failuresLeft": 101},
        {"failuresLeft": -1},
        {"failStatus": 100},
    ],
    ids=str,
)
async def test_what_would_be_more_than_data_or_too_much_is_refused(play: Play, wrong: dict[str, object]) -> None:
    inbox = await play.inbox()
    async with play.client.put(f"{play.url}/play/inbox/{inbox['token']}", json=wrong) as answer:
        assert answer.status == 422
