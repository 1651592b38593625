"""The engine delivers to its own inboxes although they are on a private address, and to nothing else there."""

from __future__ import annotations

import pytest

from webhook_engine import Attempt

from .conftest import Play


async def test_the_engine_delivers_to_its_own_inbox_and_the_signature_verifies(play: Play) -> None:
    inbox = await play.inbox()
    attempt = await _deliver(play, inbox["url"])
    assert attempt.response_status_code == 200
    endpoint = (await play.engine.endpoints.list("acme")).data[0]
    secret = await play.engine.endpoints.get_secret("acme", endpoint.id)
    [request] = await play.received(inbox["token"])
    assert request["body"] == '{"n":1}'
    assert await _problems(play, inbox["token"], secret) == [None]
    [problem] = await _problems(play, inbox["token"], "whsec_" + "A" * 32)
    assert "secret" in str(problem)
    async with play.client.post(
        f"{play.url}/play/inbox/{inbox['token']}/verify", json={"secret": "nonsense!"}
    ) as answer:
        assert answer.status == 422


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/health",
        "/play/",
        "/play/view/{token}",
        "/play/in/{token}/more",
        "/play/in/{token}/../../../api/v1/health",
        "/play/in/{token}?x=1#y",
        "/play/in/short",
    ],
)
async def test_nothing_else_of_the_own_server_is_reached(play: Play, path: str) -> None:
    inbox = await play.inbox()
    attempt = await _deliver(play, play.url + path.replace("{token}", inbox["token"]))
    if path.startswith("/play/in/{token}?"):
        assert attempt.response_status_code == 200
    else:
        assert attempt.response_status_code == 0
        assert "blocked" in attempt.response


async def _deliver(play: Play, url: str) -> Attempt:
    await play.engine.applications.create(name="Acme", uid="acme")
    await play.engine.endpoints.create("acme", url=url)
    message = await play.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
    await play.engine.join(10)
    [attempt] = (await play.engine.attempts.list_by_message("acme", message.id)).data
    return attempt


async def _problems(play: Play, token: str, secret: str) -> list[str | None]:
    async with play.client.post(f"{play.url}/play/inbox/{token}/verify", json={"secret": secret}) as answer:
        assert answer.status == 200
        return list((await answer.json())["problems"].values())
