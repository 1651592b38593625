"""Many messages at once, through the official SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from api_clients import Client, an_hour_ago, finished
from engines import until
from receivers import Receiver
from svix.api import MessageGetOptions, SvixAsync
from svix.models import (
    ApplicationIn,
    BulkExpungeContentsIn,
    BulkReplayIn,
    EndpointIn,
    MessageIn,
)


async def test_bulk_replay_sends_successes_again_and_obeys_the_filters(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    async with Receiver() as receiver:
        endpoint = await svix.endpoint.create("acme", EndpointIn(url=receiver.url))
        for name, tags in (("a", ["blue"]), ("a", None), ("b", None)):
            await svix.message.create("acme", MessageIn(event_type=name, payload={"type": name}, tags=tags))
        await receiver.wait_for(3)

        async def settled() -> bool:
            seen = (await svix.message_attempt.list_attempted_messages("acme", endpoint.id)).data
            return len(seen) == 3 and all(each.status == 0 for each in seen)

        for expected, filters in (
            (2, {"event_types": ["a"]}),
            (1, {"tag": "blue"}),
            (3, {"status": 0, "status_code_class": 200}),
            (0, {"status_code_class": 500}),
            (0, {"status": 2}),
            (0, {"until": an_hour_ago() + timedelta(minutes=1)}),
        ):
            assert await until(settled)
            before = len(receiver.requests)
            task = await svix.endpoint.bulk_replay("acme", endpoint.id, BulkReplayIn(since=an_hour_ago(), **filters))
            assert task.task.value == "endpoint.bulk-replay"
            assert (await finished(svix, task.id))["processed"] == expected
            await receiver.wait_for(before + expected)
    ids = {request.headers["webhook-id"] for request in receiver.requests}
    assert len(ids) == 3


async def test_payloads_are_expunged_some_or_all(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    made = [
        await svix.message.create("acme", MessageIn(event_type="a", payload={"n": n}, event_id=f"e{n}"))
        for n in range(3)
    ]
    results = await svix.message.bulk_expunge_content(
        "acme", BulkExpungeContentsIn(ids=["e0", made[1].id, "nobody", "not possible!"])
    )
    assert {key: value.value for key, value in results.results.items()} == {
        "e0": "expunged",
        made[1].id: "expunged",
        "nobody": "not-found",
        "not possible!": "not-found",
    }

    async def payloads() -> list[Any]:
        with_content = MessageGetOptions(with_content=True)
        return [(await svix.message.get("acme", each.id, with_content)).payload for each in made]

    assert await payloads() == [{"expired": True}, {"expired": True}, {"n": 2}]
    task = await svix.message.expunge_all_contents("acme")
    assert task.task.value == "application.purge_content"
    assert (await finished(svix, task.id))["processed"] == 3
    assert await payloads() == [{"expired": True}] * 3


async def test_what_is_pending_is_cancelled(acme: Client) -> None:
    async with Receiver(500) as receiver:
        endpoint = (await acme.post("/app/acme/endpoint", {"url": receiver.url})).json["id"]
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"eventType": "a", "payload": {}, "deliverAt": later}
        made = [(await acme.post("/app/acme/msg", body)).json["id"] for _ in range(3)]
        before = f"/app/acme/endpoint/{endpoint}/cancel-msgs"
        past = {"createdBefore": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
        assert (await acme.post(before, past)).json == {"canceled": 0}
        assert (await acme.post(f"/app/acme/msg/{made[0]}/cancel")).json == {"canceled": 1}
        assert (await acme.post(before, {})).json == {"canceled": 2}
        assert (await acme.post(before, {})).json == {"canceled": 0}
        listed = await acme.get(f"/app/acme/endpoint/{endpoint}/msg?expanded_statuses=true")
        assert {each["statusText"] for each in listed.json["data"]} == {"canceled"}
        assert not receiver.requests
