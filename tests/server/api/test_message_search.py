"""Looking for messages over the API: what was answered, and what that may be."""

from __future__ import annotations

import pytest
from api_clients import Client
from receivers import Receiver

from webhook_engine import Engine


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_schedule": [], "allow_subnets": ["127.0.0.0/8"]}


async def test_messages_are_found_by_what_was_answered(acme: Client, engine: Engine) -> None:
    made = {}
    for name, receiver in (("404", Receiver(404)), ("503", Receiver(503)), ("200", Receiver())):
        async with receiver:
            await engine.endpoints.create("acme", url=receiver.url, event_types=None, channels=[name])
            message = await engine.messages.create("acme", event_type="a", payload={"said": name}, channels=[name])
            made[name] = message.id
            await engine.join(10)

    async def found(query: str) -> list[str]:
        response = await acme.get(f"/app/acme/message-search?{query}")
        assert response.status == 200, response.text
        return [one["id"] for one in response.json["data"]]

    assert await found("answer=404") == [made["404"]]
    assert await found("answer=5xx") == [made["503"]]
    assert await found("answer=2xx") == [made["200"]]
    assert await found("answer=timeout") == []
    assert await found("text=503") == [made["503"]]
    assert await found("limit=10") == [made["200"], made["503"], made["404"]]


@pytest.mark.parametrize("answer", ["6xx", "40", "4x", "nothing", "404x"])
async def test_what_can_be_no_answer_is_refused(acme: Client, answer: str) -> None:
    response = await acme.get(f"/app/acme/message-search?answer={answer}")
    assert response.status == 422
    assert "a status code like 404, a class like 5xx" in response.text
