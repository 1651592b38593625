"""What goes wrong around a page: the server is away, the session ends while somebody types, a page is reloaded."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Route, expect
from receivers import Receiver

from webhook_engine import ManualClock

from .conftest import Stage, staged

AWAY = "The server cannot be reached. This page tries again by itself."
ENDED = "Your session has ended"


async def test_pages_wait_for_a_server_that_is_away(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
    page = await stage.page()
    url = await stage.engine.portal.url("acme")

    async def busy(route: Route) -> None:
        await route.fulfill(status=503, body='{"code": "busy", "detail": "busy"}')

    await page.route("**/portal-session", busy)
    await page.goto(url)
    await expect(page.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
    await page.unroute("**/portal-session")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()

    await page.route("**/api/**", lambda route: route.abort())
    await page.get_by_role("link", name="Event catalogue").click()
    await expect(page.get_by_text(AWAY)).to_be_visible()
    await page.unroute("**/api/**")
    await expect(page.get_by_text("An invoice was paid in full")).to_be_visible()
    await expect(page.get_by_text(AWAY)).to_be_hidden()

    await page.route("**/api/**", lambda route: route.fulfill(status=502, body="<html>bad gateway"))
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text(AWAY)).to_be_visible()
    await page.unroute("**/api/**")
    await expect(page.get_by_text("Succeeded")).to_be_visible()
    await expect(page.get_by_text(AWAY)).to_be_hidden()


async def test_what_was_typed_outlives_the_session(tmp_path: Path, receiver: Receiver) -> None:
    clock = ManualClock()
    async with staged(tmp_path / "engine.db", clock=clock) as stage:
        page = await stage.portal()
        await page.get_by_role("button", name="Add endpoint").click()
        await page.get_by_label("Endpoint URL").fill(receiver.url)
        await page.get_by_label("Description").fill("Typed with care")
        await page.get_by_label("invoice.paid").check()
        await page.reload()
        await expect(page.get_by_label("Description")).to_have_value("Typed with care")
        await expect(page.get_by_label("invoice.paid")).to_be_checked()
        await page.get_by_label("Description").fill("Typed again")
        clock.advance(timedelta(days=8))
        await page.get_by_role("button", name="Create endpoint").click()
        await expect(page.get_by_role("heading", name=ENDED)).to_be_visible()
        await expect(page.get_by_label("Description")).to_have_value("Typed again")

        again = await stage.page(page.context)
        await again.goto(await stage.engine.portal.url("acme"))
        await expect(page.get_by_role("heading", name=ENDED)).to_be_hidden()
        await page.get_by_role("button", name="Create endpoint").click()
        await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
        [endpoint] = (await stage.engine.endpoints.list("acme")).data
        assert (endpoint.description, endpoint.event_types) == ("Typed again", ("invoice.paid",))
        await again.get_by_role("button", name="Add endpoint").click()
        await expect(again.get_by_label("Endpoint URL")).to_have_value("")


async def test_an_endpoint_is_created_once_though_the_answer_got_lost(stage: Stage, receiver: Receiver) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    page = await stage.portal()
    await page.get_by_role("button", name="Add endpoint").click()
    await page.get_by_label("Endpoint URL").fill(receiver.url)
    await page.route("**/api/v1/app/*/endpoint", lose)
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_text("Check your connection, and try again.")).to_be_visible()
    await expect(page.get_by_label("Endpoint URL")).to_have_value(receiver.url)
    await page.unroute("**/api/v1/app/*/endpoint")
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
    assert len((await stage.engine.endpoints.list("acme")).data) == 1


async def test_a_link_of_the_page_opens_in_a_new_tab(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.portal()
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name=receiver.url).click(modifiers=["Control"])
    tab = await opened.value
    await expect(tab.get_by_role("tab", name="Testing")).to_be_visible()
    stranger = await stage.page()
    await stranger.goto(tab.url)
    await expect(stranger.get_by_role("heading", name="Open this page from your platform")).to_be_visible()


async def test_filters_and_place_are_kept_over_a_reload_and_the_way_back(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(lambda request: 400 if b"bad" in request.body else 200)
    await stage.engine.endpoints.create("acme", url=receiver.url)
    for _ in range(30):
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"bad": 1})
    await stage.engine.join(10)
    page = await stage.portal(timezone_id="Europe/Berlin")
    await page.get_by_role("link", name="Messages").click()
    rows = page.get_by_role("region", name="List of messages").get_by_role("listitem")
    await page.get_by_label("State").select_option("Failed")
    await page.get_by_label("Event type").select_option("invoice.paid")
    await page.get_by_role("button", name="Older").click()
    await expect(rows).to_have_count(5)
    await page.reload()
    await expect(rows).to_have_count(5)
    await rows.get_by_role("link").first.click()
    await expect(page.get_by_role("button", name="Resend")).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await expect(rows).to_have_count(5)
    await expect(page.get_by_label("State")).to_have_value("2")
    await expect(page.get_by_label("Event type")).to_have_value("invoice.paid")
    await page.get_by_role("button", name="Newer").click()
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.get_by_label("State")).to_have_value("")
    # On this day the clocks were put back, so that it had 25 hours.
    async with page.expect_request(lambda request: "before=2026-10-25T23%3A00%3A00.000Z" in request.url):
        await page.get_by_label("To", exact=True).fill("2026-10-25")


async def test_any_number_of_endpoints_can_be_reached_and_found(stage: Stage) -> None:
    create = stage.engine.endpoints.create
    await asyncio.gather(
        *(create("acme", url=f"https://example.com/{place}", description=f"Number {place}") for place in range(300))
    )
    page = await stage.portal()
    rows = page.get_by_role("region", name="List").get_by_role("listitem")
    await expect(rows).to_have_count(50)
    for shown in (100, 150, 200, 250, 300):
        await page.get_by_role("button", name="Show more").click()
        await expect(rows).to_have_count(shown)
    await expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    await page.reload()
    await page.get_by_label("Find endpoints").fill("number 277")
    await expect(rows).to_have_count(1)
    await expect(page.get_by_role("link", name="https://example.com/277")).to_be_visible()
    await page.get_by_label("Find endpoints").fill("nothing like that")
    await expect(page.get_by_text("No endpoint fits")).to_be_visible()
