"""Background tasks over the messages of endpoints and applications, through the official SDK."""

from __future__ import annotations

import msgspec
from api_clients import Client, an_hour_ago
from engines import until

from webhook_engine import Engine, TaskStatus


async def test_a_task_is_paused_resumed_and_cancelled_beside_the_contract(acme: Client) -> None:
    endpoint = (await acme.post("/app/acme/endpoint", {"url": "https://example.com/"})).json["id"]
    usage = (
        await acme.post("/stats/usage/app", {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"})
    ).json
    task = (await acme.post(f"/app/acme/endpoint/{endpoint}/recover", {"since": an_hour_ago().isoformat()})).json
    portal = acme.with_token((await acme.post("/auth/app-portal-access/acme", {})).json["token"])
    looking = acme.with_token((await acme.post("/auth/app-portal-access/acme", {"readOnly": True})).json["token"])

    async def ended() -> bool:
        return bool((await acme.get(f"/background-task/{task['id']}")).json["status"] == "finished")

    await until(ended)
    for verb in ("pause", "resume", "cancel"):
        told = (await portal.post(f"/background-task/{task['id']}/{verb}")).json
        assert (told["status"], told["data"]["endpointId"]) == ("finished", endpoint)
        assert (await looking.post(f"/background-task/{task['id']}/{verb}")).status == 403
        assert (await portal.post(f"/background-task/{usage['id']}/{verb}")).status == 404


async def test_what_is_paused_says_running_to_clients_that_know_three_states(acme: Client, engine: Engine) -> None:
    endpoint = (await acme.post("/app/acme/endpoint", {"url": "https://example.com/"})).json["id"]
    await engine.endpoints.disable("acme", endpoint)
    task = await engine.endpoints.recover("acme", endpoint, since=an_hour_ago())
    await engine.tasks.wait(task.id, 10)
    # As another engine would have left it.
    services = engine.services
    stored = msgspec.structs.replace(task, id=services.ids.new("qtask_", services.clock.now()))
    await services.store.tasks.add(msgspec.structs.replace(stored, status=TaskStatus.PAUSED), None)
    told = (await acme.get(f"/background-task/{stored.id}")).json
    assert (told["status"], told["data"]["paused"]) == ("running", True)
    assert [one["id"] for one in (await acme.get("/background-task?status=paused")).json["data"]] == [stored.id]
    ended = (await acme.post(f"/background-task/{stored.id}/cancel")).json
    assert (ended["status"], ended["data"]["error"]) == ("failed", "cancelled")
