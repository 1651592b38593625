"""The order of an endpoint's messages in the portal: what it asks for, where it is held up, and going on."""

from __future__ import annotations

import json

from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage


async def test_an_order_is_asked_for_and_goes_on_without_a_message(stage: Stage, receiver: Receiver) -> None:
    engine = stage.engine
    receiver.answer(500)
    endpoint = await engine.endpoints.create("acme", url=receiver.url, retry_schedule=[])
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await page.get_by_label("How messages are sent").select_option("fifo")
    await page.get_by_label("When all attempts of a message failed").select_option("stop")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    asked = await engine.endpoints.get("acme", endpoint.id)
    assert (asked.ordering, asked.ordering_on_exhausted, asked.batch_size) == ("fifo", "stop", None)
    sent = [
        await engine.messages.create("acme", event_type="invoice.paid", payload={}, ordering_key="invoice-7")
        for _ in range(3)
    ]
    await engine.join(10)
    await page.get_by_role("tab", name="Overview").click()
    held = page.get_by_role("listitem").filter(has_text="invoice-7")
    await expect(held).to_contain_text("Messages that wait: 2.")
    receiver.answer(200)
    await held.get_by_role("button", name=f"Skip message {sent[0].id}").click()
    await page.get_by_role("dialog").get_by_role("button", name="Skip").click()
    await expect(page.get_by_text("Nothing is held up.")).to_be_visible()
    await engine.join(10)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [one.id for one in sent]


async def test_what_is_wrong_is_told_beside_it_and_only_what_was_changed_is_sent(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, ordering="fifo")
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    size, save = page.get_by_label("Messages in one request"), page.get_by_role("button", name="Save", exact=True)
    await page.get_by_label("Seconds to wait for more").fill("301")
    await save.click()
    await expect(page.get_by_text("Enter a whole number from 1 to 1000.")).to_be_visible()
    await expect(page.get_by_text("Enter seconds from 0 to 300, or nothing.")).to_be_visible()
    await expect(size).to_be_focused()
    await size.fill("10")
    await page.get_by_label("Seconds to wait for more").fill("60")
    await stage.engine.endpoints.update("acme", endpoint.id, circuit_breaker=True)
    async with page.expect_request(lambda request: request.method == "PATCH") as sent:
        await save.click()
    assert json.loads((await sent.value).post_data or "") == {"batchSize": 10, "batchWait": "1m"}
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    # What a colleague changes is shown where nothing was typed.
    await stage.engine.endpoints.update("acme", endpoint.id, batch_size=20)
    await expect(size).to_have_value("20")
    await expect(page.get_by_label("Wait as a whole when too many attempts fail")).to_have_value("true")


async def test_it_says_until_when_an_endpoint_is_paused(stage: Stage, receiver: Receiver) -> None:
    engine = stage.engine
    receiver.answer(500)
    endpoint = await engine.endpoints.create("acme", url=receiver.url, retry_schedule=[], circuit_breaker=True)
    for _ in range(10):
        await engine.messages.create("acme", event_type="invoice.paid", payload={})
    await engine.join(10)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(page.get_by_text("Deliveries to this endpoint are paused")).to_be_visible()
