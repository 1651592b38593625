"""Play over HTTP."""

from __future__ import annotations

import pytest

from .conftest import Play


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"])
async def test_an_inbox_takes_any_method(play: Play, method: str) -> None:
    inbox = await play.inbox()
    async with play.client.request(method, inbox["url"] + "deep/er?x=1", data=b"hello", headers={"X-A": "b"}) as answer:
        assert answer.status == 200
        assert "sandbox" in answer.headers["content-security-policy"]
    [request] = await play.received(inbox["token"])
    assert request["method"] == method
    assert request["path"].endswith("/deep/er?x=1")  # type: ignore[attr-defined]
    assert request["body"] == "hello"
    assert ["X-A", "b"] in request["headers"]  # type: ignore[operator]


@pytest.mark.parametrize("token", ["short", "x" * 65, "..%2f..%2fapi", "%00" * 20, "a" * 24])
async def test_tokens_that_are_none_find_nothing(play: Play, token: str) -> None:
    async with play.client.post(f"{play.url}/play/in/{token}/") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("settings", [{"server__play": False}])
async def test_play_can_be_switched_off(play: Play) -> None:
    async with play.client.post(f"{play.url}/play/") as answer:
        assert answer.status == 404
