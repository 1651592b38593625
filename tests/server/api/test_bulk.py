"""What concerns many messages at once, and the tasks over applications, through the official SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receivers import Receiver
from server.helpers import Client, eventually
from svix.api import ApplicationListOptions, MessageGetOptions, SvixAsync
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (
    ApplicationIn,
    AppUsageStatsIn,
    BulkExpungeContentsIn,
    BulkReplayIn,
    EndpointIn,
    EventTypeImportOpenApiIn,
    EventTypeIn,
    MessageIn,
    OperationalWebhookEndpointHeadersIn,
    OperationalWebhookEndpointIn,
    OperationalWebhookEndpointSecretIn,
    OperationalWebhookEndpointUpsertIn,
)
from svix.webhooks import Webhook


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


async def finished(svix: SvixAsync, task_id: str) -> dict[str, Any]:
    async def data() -> dict[str, Any] | None:
        task = await svix.background_task.get(task_id)
        assert task.status.value != "failed"
        return task.data if task.status.value == "finished" else None

    return await eventually(data)


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
            assert await eventually(settled)
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


async def test_usage_is_counted_for_each_application(svix: SvixAsync) -> None:
    async with Receiver() as receiver:
        for uid, endpoints in (("one", 1), ("two", 2), ("none", 0)):
            await svix.application.create(ApplicationIn(name=uid, uid=uid))
            for _ in range(endpoints):
                await svix.endpoint.create(uid, EndpointIn(url=receiver.url))
            for _ in range(2):
                await svix.message.create(uid, MessageIn(event_type="a", payload={}))
        span = {"since": an_hour_ago(), "until": datetime.now(UTC) + timedelta(minutes=1)}
        task = await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span))
        stats = (await finished(svix, task.id))["appStats"]
        assert {each["appUid"]: each["messageDestinations"] for each in stats} == {"one": 2, "two": 4, "none": 0}
        some = await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span, app_ids=["two", "nobody"]))
        assert some.unresolved_app_ids == ["nobody"]
        assert [each["appUid"] for each in (await finished(svix, some.id))["appStats"]] == ["two"]
        with pytest.raises(HTTPValidationError):
            await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span, app_ids=["nobody"]))
        await receiver.wait_for(6)


async def test_used_event_types_are_listed_for_each_application(svix: SvixAsync) -> None:
    for name in ("a", "b"):
        await svix.event_type.create(EventTypeIn(name=name, description=""))
    one = await svix.application.create(ApplicationIn(name="one"))
    two = await svix.application.create(ApplicationIn(name="two"))
    await svix.endpoint.create(one.id, EndpointIn(url="https://example.com", event_types=["b", "a"]))
    await svix.endpoint.create(two.id, EndpointIn(url="https://example.com"))
    task = await svix.statistics.aggregate_event_types()
    assert (await finished(svix, task.id))["event_types"] == [
        {"appId": one.id, "explicitlySubscribedEventTypes": ["a", "b"], "hasCatchAllEndpoint": False},
        {"appId": two.id, "explicitlySubscribedEventTypes": [], "hasCatchAllEndpoint": True},
    ]


async def test_applications_are_listed_by_their_endpoints(svix: SvixAsync) -> None:
    for uid in ("none", "good", "disabled", "play"):
        await svix.application.create(ApplicationIn(name=uid, uid=uid))
    await svix.endpoint.create("good", EndpointIn(url="https://example.com"))
    await svix.endpoint.create("disabled", EndpointIn(url="https://example.com", disabled=True))
    await svix.endpoint.create("play", EndpointIn(url="https://play.svix.com/in/x"))

    async def listed(**options: bool) -> list[str | None]:
        return [each.uid for each in (await svix.application.list(ApplicationListOptions(**options))).data]

    assert await listed() == ["none", "good", "disabled", "play"]
    assert await listed(exclude_apps_with_no_endpoints=True) == ["good", "disabled", "play"]
    assert await listed(exclude_apps_with_disabled_endpoints=True) == ["none", "good", "play"]
    assert await listed(exclude_apps_with_svix_play_endpoints=True) == ["none", "good", "disabled"]


async def test_operational_webhook_endpoints_get_the_events_of_the_organization(svix: SvixAsync) -> None:
    manager = svix.operational_webhook.endpoint
    assert (await manager.list()).data == []
    with pytest.raises(HttpError):
        await manager.get("nobody")
    async with Receiver() as receiver:
        made = await manager.create(
            OperationalWebhookEndpointIn(url=receiver.url, uid="ops", event_types=["endpoint.created"])
        )
        assert (made.uid, made.event_types, made.description) == ("ops", ["endpoint.created"], "")
        assert [each.id for each in (await manager.list()).data] == [made.id]
        await manager.set_headers("ops", OperationalWebhookEndpointHeadersIn(headers={"X-Ops": "1"}))
        assert (await manager.get_headers("ops")).headers == {"X-Ops": "1"}
        before = (await manager.get_secret("ops")).key
        await manager.rotate_secret("ops", OperationalWebhookEndpointSecretIn(grace_period_seconds=0))
        secret = (await manager.get_secret("ops")).key
        assert secret != before
        await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
        endpoint = await svix.endpoint.create("acme", EndpointIn(url="https://example.com"))
        [request] = await receiver.wait_for(1)
        Webhook(secret).verify(request.body, dict(request.headers))
        event = json.loads(request.body)
        assert (event["type"], event["data"]["endpointId"]) == ("endpoint.created", endpoint.id)
        changed = await manager.upsert("ops", OperationalWebhookEndpointUpsertIn(url=receiver.url, disabled=True))
        assert (changed.id, changed.uid, changed.disabled, changed.event_types) == (made.id, None, True, None)
        await manager.delete(made.id)
        assert (await manager.list()).data == []
    assert [each.uid for each in (await svix.application.list()).data] == ["acme"]


SPEC = """
openapi: 3.1.0
webhooks:
  user.signup:
    post:
      description: Somebody signed up
      x-svix-group-name: user
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Signup"}
            example: {user: {name: Ann}}
  user.deleted:
    post: {summary: Somebody left, deprecated: true}
components:
  schemas:
    Signup: {type: object, properties: {user: {$ref: "#/components/schemas/User"}}}
    User: {type: object, properties: {friend: {$ref: "#/components/schemas/User"}}}
    Unused: {type: string}
"""


async def test_event_types_are_imported_from_an_openapi_document(svix: SvixAsync) -> None:
    await svix.event_type.create(EventTypeIn(name="old", description=""))
    tried = (await svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec_raw=SPEC, dry_run=True))).data
    assert tried.modified == []
    assert [(each.name, each.deprecated) for each in tried.to_modify or ()] == [
        ("user.signup", False),
        ("user.deleted", True),
    ]
    assert [each.name for each in (await svix.event_type.list()).data] == ["old"]
    done = (await svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec_raw=SPEC, replace_all=True))).data
    assert done.modified == ["user.signup", "user.deleted", "old"]
    assert [each.name for each in (await svix.event_type.list()).data] == ["user.deleted", "user.signup"]
    signup = await svix.event_type.get("user.signup")
    assert (signup.description, signup.group_name) == ("Somebody signed up", "user")
    schema = (signup.schemas or {})["1"]
    assert schema["examples"] == [{"user": {"name": "Ann"}}]
    assert schema["allOf"] == [{"$ref": "#/definitions/Signup"}]
    assert sorted(schema["definitions"]) == ["Signup", "User"]
    again = EventTypeImportOpenApiIn(spec={"x-webhooks": {"user.deleted": {"post": {"description": "Gone"}}}})
    assert (await svix.event_type.import_openapi(again)).data.modified == ["user.deleted"]
    assert (await svix.event_type.get("user.deleted")).description == "Gone"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"spec": {}, "specRaw": "{}"}, 400),
        ({"spec": {}}, 422),
        ({"specRaw": "a: [b"}, 422),
        ({"specRaw": "a: &x [1]\nb: [*x, *x]"}, 422),
        ({"specRaw": "[" * 5000}, 422),
        ({"specRaw": "a: !!python/object:os.system {}"}, 422),
        ({"spec": {"webhooks": {"no good": {"post": {}}}}}, 422),
        ({"spec": {"webhooks": {"a": {}}}}, 422),
    ],
)
async def test_documents_that_cannot_be_imported_are_refused(api: Client, body: object, status: int) -> None:
    answer = await api.post("/event-type/import/openapi", body)
    assert answer.status == status, answer.text
