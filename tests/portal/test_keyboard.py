"""What an endpoint asks for, and who is told of it, by the keyboard alone; and how these pages look meanwhile."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from receivers import Receiver

from .conftest import Stage, staged
from .scanning import scanned

FAR = 80
SAVED = "Saved; it applies from the next attempt"


async def reach(page: Page, wanted: Locator) -> None:
    """Go on with the Tab key until something has the focus, which can be seen."""
    await expect(wanted).to_be_visible()
    for _ in range(FAR):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("element => element === document.activeElement"):
            ring = await wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert ring != "none", "nobody sees where the focus is"
            return
    raise AssertionError(f"{wanted} cannot be reached")


async def press(page: Page, name: str) -> None:
    """Press a button."""
    await reach(page, page.get_by_role("button", name=name, exact=True))
    await page.keyboard.press("Enter")


async def write(page: Page, label: str, text: str) -> None:
    """Write into a field, or choose what begins so."""
    await reach(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(text)


async def settings(stage: Stage, endpoint_id: str) -> Page:
    page = await stage.page(bypass_csp=True, reduced_motion="reduce")
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint_id}?tab=settings")
    await expect(page.get_by_role("button", name="Save changes")).to_be_visible()
    return page


async def test_a_filter_is_tried_and_authentication_set_up(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await settings(stage, endpoint.id)
    await write(page, "Filter by payload", '{"amount": {"$gt": 100}}')
    await reach(page, page.locator("summary", has_text="Try the filter on an example"))
    await page.keyboard.press("Enter")
    await write(page, "Example payload", '{"amount": 7}')
    await press(page, "Try the filter")
    await expect(page.get_by_text("This example would not be sent")).to_be_visible()
    await write(page, "Authentication", "User")
    await write(page, "User name", "me")
    await write(page, "Password", "hush")
    await press(page, "Save changes")
    await expect(page.get_by_text(SAVED)).to_be_visible()
    await press(page, "Try authentication")
    await expect(page.get_by_text("An example is on its way")).to_be_visible()
    [request] = await receiver.wait_for(1)
    assert request.headers["authorization"] == "Basic bWU6aHVzaA=="
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert now.filter == {"amount": {"$gt": 100}}
    assert stage.problems == []


async def test_an_order_is_asked_for_and_goes_on(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(500)
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, retry_schedule=[])
    page = await settings(stage, endpoint.id)
    await write(page, "How messages are sent", "One")
    await write(page, "When all attempts of a message failed", "Stop")
    await write(page, "Messages in one request", "2")
    await press(page, "Save")
    await expect(page.get_by_text(SAVED)).to_be_visible()
    await scanned(page, "order-settings")
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={}, ordering_key="invoice-7")
    await stage.engine.join(10)
    await page.reload()
    await reach(page, page.get_by_role("tab", name="Settings"))
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    held = page.get_by_role("listitem").filter(has_text="invoice-7")
    await expect(held).to_be_visible()
    await scanned(page, "order-held-up")
    await reach(page, held.get_by_role("button"))
    await page.keyboard.press("Enter")
    skip = page.get_by_role("dialog").get_by_role("button", name="Skip")
    await expect(skip).to_be_visible()
    if not await skip.evaluate("element => element === document.activeElement"):
        await reach(page, skip)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing is held up.")).to_be_visible()
    assert stage.problems == []


@pytest.mark.skipif(importlib.util.find_spec("quickjs") is None, reason="the extra is not installed")
async def test_a_script_is_written_tried_and_used(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "engine.db", transformations__scripts=True) as stage:
        endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await settings(stage, endpoint.id)
        await reach(page, page.get_by_label("Script", exact=True))
        await page.keyboard.press("Control+A")
        await page.keyboard.type("function handler(webhook) { console.log('here'); return webhook }")
        await reach(page, page.get_by_label("Use this script"))
        await page.keyboard.press("Space")
        await press(page, "Save script")
        await expect(page.get_by_text("The script is saved")).to_be_visible()
        await press(page, "Try the script")
        await expect(page.get_by_role("region", name="Console")).to_contain_text("here")
        await scanned(page, "script-tried")
        await reach(page, page.get_by_role("region", name="What would be sent"))
        assert stage.problems == []


async def test_an_alert_is_made_and_deleted(stage: Stage, receiver: Receiver) -> None:
    page = await stage.page(bypass_csp=True, reduced_motion="reduce")
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints")
    await reach(page, page.get_by_role("link", name="Alerts"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible()
    await press(page, "Add alert")
    await expect(page.get_by_text("Say who is to be told.")).to_be_visible()
    await scanned(page, "alert-refused")
    await page.get_by_role("heading", name="Alerts", exact=True).click()
    await write(page, "How", "Web")
    await write(page, "To", receiver.url)
    await press(page, "Add alert")
    await expect(page.get_by_text(receiver.url, exact=True)).to_be_visible()
    await scanned(page, "alerts")
    await page.get_by_role("heading", name="Alerts", exact=True).click()
    await press(page, f"Delete the alert to {receiver.url}")
    delete = page.get_by_role("dialog").get_by_role("button", name="Delete")
    await expect(delete).to_be_visible()
    await reach(page, delete)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No alerts")).to_be_visible()
    assert stage.problems == []
