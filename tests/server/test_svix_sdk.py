"""The official Svix SDK drives the server unchanged: one scenario through everything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from engines import until
from receivers import Receiver
from svix.api import (
    ApplicationListOptions,
    BackgroundTaskListOptions,
    EndpointListOptions,
    EventTypeListOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
    MessageListOptions,
    SvixAsync,
)
from svix.api.message import message_in_raw
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (
    ApplicationIn,
    ApplicationPatch,
    ApplicationTokenExpireIn,
    AppPortalAccessIn,
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointPatch,
    EndpointSecretRotateIn,
    EndpointUpsertIn,
    EventExampleIn,
    EventTypeIn,
    EventTypePatch,
    EventTypeUpsertIn,
    MessageIn,
    MessagePrecheckIn,
    RecoverIn,
    ReplayIn,
)
from svix.webhooks import Webhook

from webhook_engine.server.listener import Server


async def test_applications(svix: SvixAsync) -> None:
    created = await svix.application.create(ApplicationIn(name="Acme", uid="acme", metadata={"plan": "pro"}))
    assert created.uid == "acme"
    assert created.metadata == {"plan": "pro"}
    assert (await svix.application.get("acme")).id == created.id
    assert (await svix.application.get_or_create(ApplicationIn(name="Other", uid="acme"))).name == "Acme"
    assert (await svix.application.patch("acme", ApplicationPatch(throttle_rate=7))).throttle_rate == 7
    replaced = await svix.application.upsert("acme", ApplicationIn(name="Acme Ltd", uid="acme"))
    assert (replaced.throttle_rate, replaced.metadata) == (None, {})
    for number in range(3):
        await svix.application.create(ApplicationIn(name=f"Other {number}"))
    seen, iterator = [], None
    while True:
        page = await svix.application.list(ApplicationListOptions(limit=2, iterator=iterator))
        seen += [each.name for each in page.data]
        iterator = page.iterator
        if page.done:
            break
    assert seen == ["Acme Ltd", "Other 0", "Other 1", "Other 2"]
    back = await svix.application.list(ApplicationListOptions(limit=2, iterator=page.prev_iterator))
    assert [each.name for each in back.data] == ["Acme Ltd", "Other 0"]
    await svix.application.delete("acme")
    with pytest.raises(HttpError) as caught:
        await svix.application.get("acme")
    assert (caught.value.status_code, caught.value.code) == (404, "not_found")


async def test_event_types(svix: SvixAsync) -> None:
    schemas = {"1": {"type": "object", "examples": [{"id": 1}]}}
    made = await svix.event_type.create(EventTypeIn(name="invoice.paid", description="Paid", schemas=schemas))
    assert made.schemas == schemas
    with pytest.raises(HttpError) as caught:
        await svix.event_type.create(EventTypeIn(name="invoice.paid", description="Paid"))
    assert (caught.value.status_code, caught.value.code) == (409, "event_type_exists")
    assert (await svix.event_type.patch("invoice.paid", EventTypePatch(deprecated=True))).deprecated
    updated = await svix.event_type.upsert("invoice.paid", EventTypeUpsertIn(description="Settled"))
    assert (updated.description, updated.deprecated, updated.schemas) == ("Settled", False, None)
    await svix.event_type.delete("invoice.paid")
    assert (await svix.event_type.list()).data == []
    [archived] = (await svix.event_type.list(EventTypeListOptions(include_archived=True))).data
    assert archived.archived


async def test_a_raw_message_is_sent_as_what_it_is(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    async with Receiver() as receiver:
        await svix.endpoint.create("acme", EndpointIn(url=receiver.url))
        await svix.message.create("acme", message_in_raw("a", "<x/>", "application/xml; charset=utf-8"))
        await svix.message.create("acme", message_in_raw("a", "{}"))
        await receiver.wait_for(2)
        sent = {request.body: request.headers["content-type"] for request in receiver.requests}
        assert sent == {b"<x/>": "application/xml; charset=utf-8", b"{}": "application/json"}


async def test_endpoints(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    await svix.event_type.create(EventTypeIn(name="invoice.paid", description="Paid"))
    made = await svix.endpoint.create(
        "acme", EndpointIn(url="http://Example.com", uid="main", event_types=["invoice.paid"], channels=["a"])
    )
    assert made.url == "http://example.com/"
    changed = await svix.endpoint.patch("acme", "main", EndpointPatch(description="The main one", channels=None))
    assert (changed.description, changed.channels, changed.event_types) == ("The main one", None, ["invoice.paid"])
    replaced = await svix.endpoint.upsert("acme", "main", EndpointUpsertIn(url="https://example.com/x", uid="main"))
    assert (replaced.id, replaced.description, replaced.event_types) == (made.id, "", None)
    assert [each.id for each in (await svix.endpoint.list("acme", EndpointListOptions(limit=5))).data] == [made.id]

    before = (await svix.endpoint.get_secret("acme", "main")).key
    rotated = await svix.endpoint.rotate_secret("acme", "main", EndpointSecretRotateIn())
    assert rotated.key == (await svix.endpoint.get_secret("acme", "main")).key != before

    await svix.endpoint.set_headers("acme", "main", EndpointHeadersIn(headers={"X-One": "1", "Authorization": "s"}))
    await svix.endpoint.patch_headers("acme", "main", EndpointHeadersPatchIn(headers={"X-Two": "2"}))
    headers = await svix.endpoint.get_headers("acme", "main")
    assert (headers.headers, headers.sensitive) == ({"X-One": "1", "X-Two": "2"}, ["Authorization"])

    await svix.endpoint.delete("acme", "main")
    with pytest.raises(HttpError) as caught:
        await svix.endpoint.get("acme", "main")
    assert caught.value.status_code == 404


async def test_messages_and_attempts(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    async with Receiver() as receiver:
        endpoint = await svix.endpoint.create("acme", EndpointIn(url=receiver.url))
        message = await svix.message.create(
            "acme", MessageIn(event_type="invoice.paid", payload={"id": 1}, event_id="inv-1", tags=["blue"])
        )
        [request] = await receiver.wait_for(1)
        secret = (await svix.endpoint.get_secret("acme", endpoint.id)).key
        Webhook(secret).verify(request.body, dict(request.headers))

        async def attempted() -> list[object]:
            return list((await svix.message_attempt.list_by_msg("acme", message.id)).data)

        [attempt] = await until(attempted)
        assert (attempt.status, attempt.response, attempt.endpoint_id) == (0, "{}", endpoint.id)
        full = await svix.message_attempt.list_by_msg(
            "acme", "inv-1", MessageAttemptListByMsgOptions(with_content=True)
        )
        assert full.data[0].response == "ok"
        assert (await svix.message_attempt.get("acme", message.id, attempt.id)).id == attempt.id
        by_endpoint = await svix.message_attempt.list_by_endpoint(
            "acme", endpoint.id, MessageAttemptListByEndpointOptions(before=datetime.now(UTC) + timedelta(hours=1))
        )
        assert [each.id for each in by_endpoint.data] == [attempt.id]
        [seen] = (await svix.message_attempt.list_attempted_messages("acme", endpoint.id)).data
        assert (seen.id, seen.status) == (message.id, 0)
        [destination] = (await svix.message_attempt.list_attempted_destinations("acme", message.id)).data
        assert (destination.id, destination.status) == (endpoint.id, 0)

        await svix.message_attempt.resend("acme", message.id, endpoint.id)
        await receiver.wait_for(2)
        stats = await svix.endpoint.get_stats("acme", endpoint.id)
        assert stats.fail == 0
        await svix.message_attempt.expunge_content("acme", message.id, attempt.id)

    [listed] = (await svix.message.list("acme", MessageListOptions(tag="blue", with_content=True))).data
    assert listed.payload == {"id": 1}
    assert (await svix.message.get("acme", "inv-1")).payload == {}
    await svix.message.expunge_content("acme", message.id)
    with pytest.raises(HttpError) as caught:
        await svix.message_attempt.resend("acme", message.id, endpoint.id)
    assert (caught.value.status_code, caught.value.code) == (400, "missing_payload")
    assert (await svix.message.precheck("acme", MessagePrecheckIn(event_type="x"))).active


async def test_recovery_and_examples(svix: SvixAsync) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    since = datetime.now(UTC) - timedelta(hours=1)
    await svix.message.create("acme", MessageIn(event_type="too.early", payload={}))
    async with Receiver(500) as receiver:
        endpoint = await svix.endpoint.create("acme", EndpointIn(url=receiver.url))
        example = await svix.endpoint.send_example("acme", endpoint.id, EventExampleIn(event_type="svix.ping"))
        assert example.payload == {}
        await receiver.wait_for(1)
        await svix.message.create("acme", MessageIn(event_type="a", payload={}))
        await receiver.wait_for(4)
        receiver.answer(200)

        async def failed() -> bool:
            [*messages] = (await svix.message_attempt.list_attempted_messages("acme", endpoint.id)).data
            return any(each.status == 2 for each in messages if each.event_type == "a")

        assert await until(failed)
        task = await svix.endpoint.recover("acme", endpoint.id, RecoverIn(since=since))
        assert (task.status, task.task) == ("running", "endpoint.recover")
        await receiver.wait_for(5)
        replay = await svix.endpoint.replay_missing("acme", endpoint.id, ReplayIn(since=since))
        await receiver.wait_for(6)
        assert b"{}" in receiver.bodies

        async def finished() -> bool:
            return (await svix.background_task.get(replay.id)).status == "finished"

        assert await until(finished)
        tasks = await svix.background_task.list(BackgroundTaskListOptions(limit=10))
        assert {each.id for each in tasks.data} == {task.id, replay.id}


async def test_portal_access_and_its_end(svix: SvixAsync, server: Server, sdk: Callable[[str], SvixAsync]) -> None:
    await svix.application.create(ApplicationIn(name="Acme", uid="acme"))
    access = await svix.authentication.app_portal_access("acme", AppPortalAccessIn(session_id="one"))
    assert access.url.startswith(f"{server.url}/portal/#key=")
    portal = sdk(access.token)
    assert (await portal.application.get("acme")).uid == "acme"
    await svix.authentication.expire_all("acme", ApplicationTokenExpireIn(session_ids=["other"]))
    assert (await portal.application.get("acme")).uid == "acme"
    await svix.authentication.expire_all("acme", ApplicationTokenExpireIn())
    with pytest.raises(HttpError) as caught:
        await portal.application.get("acme")
    assert caught.value.status_code == 401
    again = await svix.authentication.app_portal_access("acme", AppPortalAccessIn())
    portal = sdk(again.token)
    assert (await portal.application.get("acme")).uid == "acme"
    await portal.authentication.logout()
    with pytest.raises(HttpError):
        await portal.application.get("acme")


async def test_errors_are_the_exceptions_of_the_sdk(svix: SvixAsync) -> None:
    with pytest.raises(HTTPValidationError) as invalid:
        await svix.application.create(ApplicationIn(name=""))
    assert invalid.value.detail[0].loc == ["body", "name"]
    with pytest.raises(HttpError) as missing:
        await svix.application.get("nobody")
    assert (missing.value.status_code, missing.value.detail) == (404, "Entity not found")
    with pytest.raises(HttpError) as hosted:
        await svix.connector.list()
    assert hosted.value.status_code == 404
    assert "Connectors" in str(hosted.value.detail)


async def test_health(svix: SvixAsync) -> None:
    await svix.health.get()
