"""What a customer does, from the first endpoint to the repair after an outage."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from playwright.async_api import expect
from receivers import Receiver, Reply

from webhook_engine import TaskStatus, Webhook

from .conftest import Stage, staged


async def test_the_first_endpoint_and_its_first_event(stage: Stage, receiver: Receiver) -> None:
    page = await stage.portal()
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()
    await page.get_by_role("button", name="Add endpoint").click()
    await page.get_by_label("Endpoint URL").fill(receiver.url)
    await page.get_by_label("Description").fill("Production")
    await page.get_by_label("Find event types").fill("paid in full")
    await expect(page.get_by_label("user.created")).to_be_hidden()
    await expect(page.get_by_role("checkbox", name="invoice.paid", exact=True)).to_have_accessible_description(
        "An invoice was paid in full"
    )
    await page.get_by_label("invoice.paid").check()
    await page.get_by_label("Channels").fill("eu, us")
    await page.get_by_label("Rate limit").fill("50")
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
    [endpoint] = (await stage.engine.endpoints.list("acme")).data
    assert endpoint.description == "Production"
    assert endpoint.event_types == ("invoice.paid",)
    assert set(endpoint.channels or ()) == {"eu", "us"}
    assert endpoint.throttle_rate == 50

    await page.get_by_role("tab", name="Testing").click()
    await expect(page.get_by_label("Event type")).to_have_value("invoice.paid")
    await expect(page.get_by_text("inv_1042")).to_be_visible()
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("Succeeded")).to_be_visible()
    [request] = await receiver.wait_for(1)
    assert json.loads(request.body)["id"] == "inv_1042"
    secret = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    Webhook(secret).verify(request.body, dict(request.headers))

    await page.get_by_role("link", name="invoice.paid").click()
    await expect(page.get_by_role("heading", name="invoice.paid")).to_be_visible()
    await expect(page.get_by_text('"inv_1042"')).to_be_visible()
    assert stage.problems == []


async def test_a_url_that_is_none_is_refused_at_its_field(stage: Stage) -> None:
    page = await stage.portal()
    await page.get_by_role("button", name="Add endpoint").click()
    await page.get_by_label("Endpoint URL").fill("ftp://example.com")
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_text("must be http or https")).to_be_visible()
    await expect(page.get_by_label("Endpoint URL")).to_be_focused()


async def test_new_messages_appear_and_their_states_change_by_themselves(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(Reply(200, delay=3))
    await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.portal()
    await page.get_by_role("link", name="Messages").click()
    await expect(page.get_by_text("No messages")).to_be_visible()
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
    await expect(page.get_by_role("link", name="invoice.paid")).to_be_visible()
    await expect(page.get_by_text("Pending")).to_be_visible()
    await expect(page.get_by_text("Succeeded")).to_be_visible()


async def test_a_message_shows_each_attempt_and_is_sent_again(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(Reply(503, body=b"database is down"))
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, headers={"X-Team": "billing"})
    message = await stage.engine.messages.create(
        "acme", event_type="invoice.paid", payload=b'{"big": 12345678901234567890, "text": "\\u00e9"}'
    )
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text("Failed")).to_be_visible()
    await expect(page.get_by_text("12345678901234567890")).to_be_visible()
    await expect(page.locator("details.attempt")).to_have_count(2)
    await page.locator("details.attempt summary").first.click()
    await expect(page.get_by_text("database is down")).to_be_visible()
    await expect(page.get_by_role("cell", name="billing")).to_be_visible()
    await expect(page.get_by_role("cell", name=message.id).first).to_be_visible()

    receiver.answer(200)
    await page.get_by_role("button", name="Resend").click()
    await expect(page.get_by_text("Succeeded")).to_be_visible()
    await expect(page.locator("details.attempt")).to_have_count(3)
    await expect(page.get_by_text("sent by hand")).to_be_visible()
    assert endpoint.id


async def test_a_pending_message_says_when_it_is_tried_next(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer(500)
    async with staged(tmp_path / "engine.db", retry_schedule=["1h"]) as stage:
        await stage.engine.endpoints.create("acme", url=receiver.url)
        message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
        page = await stage.portal()
        await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
        await expect(page.get_by_text("Pending")).to_be_visible()
        await expect(page.get_by_text("Next attempt in")).to_be_visible()


async def test_an_endpoint_that_was_disabled_is_enabled_and_recovered(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    receiver.answer(500)
    for number in range(3):
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": number})
    await stage.engine.join(10)
    receiver.answer(410)
    await stage.engine.messages.create("acme", event_type="user.created", payload={})
    await stage.engine.join(10)
    page = await stage.portal()
    await expect(page.get_by_text("Disabled")).to_be_visible()
    await expect(page.get_by_text("100 % failures")).to_be_visible()
    await page.get_by_role("link", name=receiver.url).click()
    await expect(page.get_by_role("heading", name="This endpoint is disabled")).to_be_visible()
    await expect(page.get_by_text("410 Gone")).to_be_visible()
    missed = await stage.engine.messages.create("acme", event_type="user.created", payload={"late": True})

    receiver.answer(200)
    await page.get_by_role("button", name="Enable endpoint").click()
    await expect(page.get_by_text("Enabled", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Recover failed messages").click()
    await expect(page.get_by_text("Done: 4 messages on the way.")).to_be_visible()
    await page.get_by_role("button", name="Replay missing messages").click()
    await expect(page.get_by_text("Done: 1 message on the way.")).to_be_visible()
    rows = page.get_by_role("region", name="List of messages").get_by_text("Succeeded")
    await expect(rows).to_have_count(5)
    stats = await stage.engine.endpoints.stats("acme", endpoint.id)
    assert stats.success == 5
    assert missed.id in {request.headers["webhook-id"] for request in receiver.requests}
    await expect(page.get_by_role("img", name="5 succeeded")).to_be_visible()


async def test_filters_and_pages_of_messages(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(lambda request: 200 if b"good" in request.body else 400)
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    for number in range(30):
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"good": number})
    await stage.engine.messages.create("acme", event_type="user.created", payload={"bad": 1})
    await stage.engine.join(10)
    page = await stage.portal()
    for address in ("#/messages", f"#/endpoints/{endpoint.id}"):
        await page.goto(f"{stage.url}/portal/{address}")
        rows = page.get_by_role("region", name="List of messages").get_by_role("listitem")
        await expect(rows).to_have_count(25)
        await page.get_by_role("button", name="Older").click()
        await expect(rows).to_have_count(6)
        await page.get_by_role("button", name="Newer").click()
        await expect(rows).to_have_count(25)
        await page.get_by_label("State").select_option("Failed")
        await expect(rows).to_have_count(1)
        await expect(page.get_by_role("link", name="user.created")).to_be_visible()
        await page.get_by_label("State").select_option("Pending")
        await expect(page.get_by_text("No message fits these filters.")).to_be_visible()
        await page.get_by_label("State").select_option("Any")
        await page.get_by_label("Event type").select_option("user.created")
        await expect(rows).to_have_count(1)
        await page.get_by_label("From").fill("2001-01-01")
        await expect(rows).to_have_count(1)
        await page.get_by_label("To", exact=True).fill("2001-01-02")
        await expect(page.get_by_text("No message fits these filters.")).to_be_visible()


async def test_settings_headers_secret_and_deletion(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, description="Old words")
    secret = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    page = await stage.portal()
    await page.get_by_role("link", name=receiver.url).click()
    await expect(page.get_by_role("button", name="Reveal signing secret")).to_be_visible()
    assert secret not in await page.content()
    await page.get_by_role("button", name="Reveal signing secret").click()
    await expect(page.get_by_text(secret)).to_be_visible()
    await page.get_by_role("button", name="Rotate signing secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    await expect(page.get_by_text("The one before still signs too")).to_be_visible()
    rotated = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    assert rotated != secret
    await expect(page.get_by_text(rotated)).to_be_visible()
    await expect(page.get_by_text(secret)).to_be_visible()  # both sign until the old one ends

    await page.get_by_role("tab", name="Verify").click()
    await page.get_by_role("button", name="Put my secret into the code").click()
    await expect(page.get_by_role("region", name="Python")).to_contain_text(rotated)
    code = await page.get_by_role("region", name="Python").inner_text()
    await page.get_by_role("tab", name="curl").click()
    await expect(page.get_by_role("region", name="curl")).to_contain_text(receiver.url)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    [request] = await receiver.wait_for(1)
    shown: dict[str, object] = {}
    exec(code, shown)  # the code of the page, as a customer would run it
    shown["verify"](request.body, request.headers)  # type: ignore[operator]
    assert request.headers["webhook-id"] == message.id

    await page.get_by_role("tab", name="Settings").click()
    await page.get_by_label("Description").fill("New words")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("New words")).to_be_visible()
    await page.get_by_label("Header name").fill("Authorization")
    await page.get_by_label("Header value").fill("Bearer hush")
    await page.get_by_role("button", name="Add header").click()
    await expect(page.get_by_role("button", name="Remove header Authorization")).to_be_visible()
    assert "hush" not in await page.content()
    await page.get_by_role("button", name="Remove header Authorization").click()
    await expect(page.get_by_text("No headers of your own are sent.")).to_be_visible()

    await page.get_by_role("button", name="Disable endpoint").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    await expect(page.get_by_role("button", name="Enable endpoint")).to_be_visible()
    await page.get_by_role("button", name="Delete endpoint").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Delete endpoint").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()
    assert (await stage.engine.endpoints.list("acme")).data == []


async def test_the_catalogue_shows_schema_and_example(stage: Stage) -> None:
    page = await stage.portal()
    await page.get_by_role("link", name="Event catalogue").click()
    await page.get_by_text("An invoice was paid in full").click()
    await expect(page.get_by_role("region", name="Example")).to_contain_text("inv_1042")
    await expect(page.get_by_role("region", name="Schema")).to_contain_text("properties")
    await page.get_by_label("Find event types").fill("signed")
    await expect(page.get_by_text("invoice.paid")).to_be_hidden()


async def test_the_navigation_is_there_at_every_width(stage: Stage) -> None:
    for width in (320, 390, 768, 1280, 1920):
        page = await stage.portal(viewport={"width": width, "height": 800})
        for name in ("Endpoints", "Messages", "Event catalogue"):
            await expect(page.get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_a_recovery_can_be_paused_and_cancelled_and_is_there_after_a_reload(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    task = await stage.engine.endpoints.recover("acme", endpoint.id, since=datetime.now(UTC) - timedelta(hours=1))
    await stage.engine.tasks.wait(task.id, 10)
    services = stage.engine.services
    # One that is paused in the middle, as a large one would be.
    held = msgspec.structs.replace(
        task,
        id=services.ids.new("qtask_", services.clock.now()),
        status=TaskStatus.PAUSED,
        data={**task.data, "processed": 1500},
    )
    await services.store.tasks.add(held, None)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(page.get_by_text("Paused after 1,500 messages.")).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("Cancelled: 1,500 messages are on the way.")).to_be_visible()
    assert (await stage.engine.tasks.get(held.id)).status is TaskStatus.FAILED
    again = msgspec.structs.replace(held, id=services.ids.new("qtask_", services.clock.now()))
    await services.store.tasks.add(again, None)
    await page.reload()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Done: 1,500 messages on the way.")).to_be_visible()
    assert stage.problems == []
