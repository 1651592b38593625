"""Edits of an endpoint: only what was changed is sent, and nobody's work is lost without a word."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import Stage

MEANWHILE = "This endpoint was changed meanwhile"
LEAVE = "Leave without saving?"


async def settings(stage: Stage, endpoint: str) -> Page:
    """The tab Settings of an endpoint, with everything on it."""
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint}?tab=settings")
    await expect(page.get_by_role("button", name="Save changes")).to_be_visible()
    return page


async def test_only_what_was_changed_is_sent(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, description="Ours", channels=["eu", "us"])
    page = await settings(stage, endpoint.id)
    await page.get_by_label("Rate limit").fill("7")
    async with page.expect_request(lambda request: request.method == "PATCH") as sent:
        await page.get_by_role("button", name="Save changes").click()
    assert json.loads((await sent.value).post_data or "") == {"throttleRate": 7}
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("There is nothing to save")).to_be_visible()


@pytest.mark.parametrize("live", [True, False], ids=["seen before saving", "found by saving"])
async def test_what_a_colleague_changed_meanwhile_stays_and_is_said(
    stage: Stage, receiver: Receiver, live: bool
) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, description="Old words")
    page = await settings(stage, endpoint.id)
    await page.get_by_label("Rate limit").fill("7")
    await stage.engine.endpoints.update("acme", endpoint.id, description="Words of a colleague", channels=["eu"])
    if live:
        await expect(page.get_by_role("heading", name=MEANWHILE)).to_be_visible()
        await expect(page.get_by_label("Description")).to_have_value("Words of a colleague")
        await expect(page.get_by_label("Rate limit")).to_have_value("7")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    await expect(page.get_by_role("heading", name=MEANWHILE)).to_be_visible()
    await expect(page.get_by_label("Description")).to_have_value("Words of a colleague")
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert (now.description, now.channels, now.throttle_rate) == ("Words of a colleague", ("eu",), 7)


async def test_two_edits_of_the_same_field_are_shown_side_by_side(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, description="Old words")
    page = await settings(stage, endpoint.id)
    # Without looking again by itself, so that saving is what finds it.
    await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    await page.get_by_label("Description").fill("My words")
    await stage.engine.endpoints.update("acme", endpoint.id, description="Words of a colleague")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Somebody changed the same as you meanwhile")).to_be_visible()
    told = page.locator("form .notice")
    await expect(told).to_contain_text("Words of a colleague")
    await expect(told).to_contain_text("My words")
    assert (await stage.engine.endpoints.get("acme", endpoint.id)).description == "Words of a colleague"

    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    assert (await stage.engine.endpoints.get("acme", endpoint.id)).description == "My words"

    await page.get_by_label("Description").fill("Other words of mine")
    await stage.engine.endpoints.update("acme", endpoint.id, description="A second thought")
    await page.get_by_role("button", name="Save changes").click()
    await page.get_by_role("button", name="Take “A second thought” as Description").click()
    await expect(page.get_by_label("Description")).to_have_value("A second thought")
    await expect(told).to_be_hidden()


async def test_what_is_not_saved_is_not_left_without_a_question(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, description="Old words")
    page = await stage.portal()
    await page.get_by_role("link", name="Messages").click()
    await page.get_by_role("link", name="Endpoints", exact=True).click()
    await page.get_by_role("link", name=receiver.url).click()
    await page.get_by_role("tab", name="Settings").click()
    description, question = page.get_by_label("Description"), page.get_by_role("heading", name=LEAVE)
    dialog = page.get_by_role("dialog")
    await description.fill("New words")

    for leave in (
        page.get_by_role("link", name="Messages").click,
        page.get_by_role("link", name="Back").click,
        page.get_by_role("tab", name="Overview").click,
        page.go_back,
    ):
        await leave()
        await expect(question).to_be_visible()
        await dialog.get_by_role("button", name="Stay here").click()
        await expect(question).to_be_hidden()
        await expect(description).to_have_value("New words")
        assert f"/endpoints/{endpoint.id}" in page.url

    async with page.expect_event("dialog") as asked:
        await page.close(run_before_unload=True)
    assert (await asked.value).type == "beforeunload"
    await (await asked.value).dismiss()
    await page.go_back()
    await dialog.get_by_role("button", name="Leave without saving").click()
    await expect(page.get_by_role("heading", name="Endpoints", exact=True)).to_be_visible()
    assert (await stage.engine.endpoints.get("acme", endpoint.id)).description == "Old words"
    await page.get_by_role("link", name="Messages").click()
    await expect(page.get_by_role("heading", name="Messages", exact=True)).to_be_visible()


async def test_a_header_that_is_not_added_yet_is_not_left_either(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await settings(stage, endpoint.id)
    await page.get_by_label("Header name").fill("X-Team")
    await page.get_by_role("tab", name="Verify").click()
    await expect(page.get_by_role("heading", name=LEAVE)).to_be_visible()
    await page.get_by_role("dialog").get_by_role("button", name="Stay here").click()
    await page.get_by_label("Header name").fill("")
    await page.get_by_role("tab", name="Verify").click()
    await expect(page.get_by_role("region", name="Python")).to_be_visible()


async def test_an_archived_event_type_that_an_endpoint_has_is_kept(stage: Stage, receiver: Receiver) -> None:
    types = ["invoice.paid", "user.created"]
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, event_types=types)
    await stage.engine.event_types.create(name="user.deleted", description="Somebody left")
    await stage.engine.event_types.delete("user.created")
    page = await settings(stage, endpoint.id)
    archived = page.get_by_role("checkbox", name="user.created", exact=True)
    await expect(archived).to_be_checked()
    await expect(archived).to_have_accessible_description(re.compile("Not offered any more"))
    await expect(page.get_by_text("Archived", exact=True)).to_be_visible()
    await page.get_by_label("Description").fill("Edited all the same")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert (now.description, set(now.event_types or ())) == ("Edited all the same", set(types))
    await page.get_by_role("checkbox", name="user.deleted", exact=True).check()
    await page.get_by_role("checkbox", name="invoice.paid", exact=True).uncheck()
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_have_count(2)
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert set(now.event_types or ()) == {"user.created", "user.deleted"}

    for box in await page.get_by_role("checkbox").all():
        await box.uncheck()
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_role("heading", name="Receive all event types?")).to_be_visible()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert (await stage.engine.endpoints.get("acme", endpoint.id)).event_types is not None


async def test_a_filter_is_tried_on_an_example_and_saved(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await settings(stage, endpoint.id)
    said = page.get_by_label("Filter by payload")
    await said.fill('{"amount": {"$gt": 100}}')
    await page.get_by_text("Try the filter on an example").click()
    await page.get_by_label("Example payload").fill('{"amount": 5}')
    await page.get_by_role("button", name="Try the filter").click()
    await expect(page.get_by_text('would not be sent: {"amount":{"$gt":100}} does not hold')).to_be_visible()
    await page.get_by_label("Example payload").fill('{"amount": 500}')
    await page.get_by_role("button", name="Try the filter").click()
    await expect(page.get_by_text("This example would be sent.")).to_be_visible()
    async with page.expect_request(lambda request: request.method == "PATCH") as sent:
        await page.get_by_role("button", name="Save changes").click()
    assert json.loads((await sent.value).post_data or "") == {"filter": {"amount": {"$gt": 100}}}
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    # A message that it holds back says so on its page.
    message = await stage.engine.messages.create("acme", event_type="a", payload={"amount": 1})
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text("Its filter does not let the payload through.")).to_be_visible()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await said.fill("[1]")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Enter a filter as a JSON object.")).to_be_visible()
