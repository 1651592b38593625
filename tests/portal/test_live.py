"""The page hears of changes, and asks seldom; what is in a hidden tab is quiet."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import Stage

QUIET_S = 4


async def hide(page: Page, hidden: bool) -> None:
    """As when somebody turns to another tab, or back."""
    await page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')) }",
        hidden,
    )


async def test_a_page_asks_when_something_has_changed_and_not_in_a_hidden_tab(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, ordering="fifo")
    page = await stage.page()
    async with page.expect_request(lambda request: request.url.endswith("/changes")):
        await page.goto(await stage.engine.portal.url("acme"))
    await page.get_by_role("link", name="Messages").click()
    await expect(page.get_by_text("No messages")).to_be_visible()
    # The page with the most on it, in another tab.
    busiest = await stage.portal()
    await busiest.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(busiest.get_by_text("Nothing is held up.")).to_be_visible()
    await asyncio.sleep(QUIET_S)  # what the page does by itself when it begins is done
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await asyncio.sleep(QUIET_S)
    assert asked == []
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id="seen-live")
    await expect(page.get_by_text("seen-live")).to_be_visible()

    busiest.on("request", lambda request: asked.append(request.url))
    for one in (page, busiest):
        await hide(one, True)
    await asyncio.sleep(1)
    asked.clear()
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id="seen-later")
    await asyncio.sleep(QUIET_S)
    assert asked == []
    await expect(page.get_by_text("seen-later")).to_have_count(0)
    await hide(page, False)
    await expect(page.get_by_text("seen-later")).to_be_visible()
    assert stage.problems == []


async def test_a_page_goes_on_without_streams(stage: Stage) -> None:
    page = await stage.page()
    await page.route("**/changes", lambda route: route.fulfill(status=429, body="{}"))
    await page.goto(await stage.engine.portal.url("acme"))
    await page.get_by_role("link", name="Messages").click()
    await expect(page.get_by_text("No messages")).to_be_visible()
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id="asked-for")
    await expect(page.get_by_text("asked-for")).to_be_visible()
