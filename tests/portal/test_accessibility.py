"""Every page, by day and by night, narrow and wide: scanned with axe-core, used with the keyboard, kept as pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import Stage
from .scanning import SIZES, bring_scanner, clean, scanned


class Visitor:
    """Goes from page to page, and has each scanned."""

    def __init__(self, stage: Stage, page: Page) -> None:
        self.stage = stage
        self.page = page

    async def look(self, name: str, prepare: Callable[[], Awaitable[object]] | None = None) -> None:
        """Scan what is shown."""
        await expect(self.page.locator("main h1")).to_be_visible()
        await expect(self.page.locator(".loading:visible")).to_have_count(0)
        if prepare is not None:
            await prepare()
        await scanned(self.page, name)

    async def visit(self, name: str, address: str, prepare: Callable[[], Awaitable[object]] | None = None) -> None:
        """Scan another page."""
        await self.page.goto(f"{self.stage.url}/portal/#{address}")
        await self.look(name, prepare)

    def press(self, name: str) -> Callable[[], Awaitable[object]]:
        """To prepare a page."""
        return self.page.get_by_role("button", name=name).click


@pytest.mark.timeout(400)
async def test_every_page_passes_axe_by_day_and_by_night_and_is_kept_as_a_picture(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer(lambda request: 200 if b"good" in request.body else 410 if b"gone" in request.body else 500)
    engine = stage.engine
    endpoint = await engine.endpoints.create(
        "acme", url=receiver.url, description="Production", event_types=["invoice.paid"], channels=["eu"]
    )
    legacy = await engine.endpoints.create("acme", url=f"{receiver.url}/legacy", event_types=["user.created"])
    large = await engine.endpoints.create("acme", url=f"{receiver.url}/large", filter={"amount": {"$gt": 100}})
    message = await engine.messages.create("acme", event_type="invoice.paid", payload={"good": 1}, channels=["eu"])
    await engine.messages.create("acme", event_type="invoice.paid", payload={"bad": 1}, channels=["eu"])
    await engine.messages.create("acme", event_type="user.created", payload={"gone": True})
    await engine.applications.create(name="Nothing yet", uid="empty")
    await engine.join(10)
    page = await stage.portal(bypass_csp=True, reduced_motion="reduce")
    visitor = Visitor(stage, page)
    visit, look, press = visitor.visit, visitor.look, visitor.press

    await visit("endpoints", "/endpoints")
    await visit("new-endpoint", "/endpoints/new", press("Create endpoint"))
    await visit("endpoint", f"/endpoints/{endpoint.id}", press("Reveal signing secret"))
    await visit("disabled", f"/endpoints/{legacy.id}")
    await visit("testing", f"/endpoints/{endpoint.id}?tab=testing", press("Send example"))
    await visit("verify", f"/endpoints/{endpoint.id}?tab=verify")
    await visit("settings", f"/endpoints/{large.id}?tab=settings", page.get_by_text("Try the filter on").click)
    await look("delete", press("Delete endpoint"))
    await press("Cancel")()
    await visit("messages", "/messages")
    await page.get_by_label("From").fill("2100-01-01")
    await look("no-messages", page.get_by_text("No message fits these filters.").wait_for)
    await page.route("**/api/**", lambda route: route.abort())
    await look("away", page.locator(".away svg").wait_for)
    await page.unroute("**/api/**")
    await visit("message", f"/messages/{message.id}", page.locator("details.attempt summary").first.click)
    await visit("statistics", "/statistics", page.locator(".chart").wait_for)
    for view in ("answers", "times"):
        await page.get_by_label("What to show").select_option(view)
        await scanned(page, f"statistics-{view}")
    await page.mouse.move(0, 0)
    await page.locator(".chart-parts a").last.focus()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowRight")
    await scanned(page, "statistics-told")
    await visit("catalogue", "/catalogue", page.locator(".catalogue summary").first.click)
    await visit("missing", "/endpoints/ep_none", page.get_by_text("There is no such endpoint").wait_for)
    await page.goto(await engine.portal.url("empty"))
    await look("empty", page.get_by_text("No endpoints yet").wait_for)


async def test_every_page_of_play_passes_axe(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True, reduced_motion="reduce")
    visitor = Visitor(stage, page)
    await page.goto(f"{stage.url}/play/")
    await visitor.look("play-welcome")
    await visitor.press("Create an inbox")()
    await expect(page.get_by_text("Nothing has arrived yet")).to_be_visible()
    await visitor.look("play-empty")
    async with aiohttp.ClientSession() as client:
        await client.post(await page.locator(".secret code").inner_text(), json={"n": 1})
    await expect(page.get_by_role("region", name="Body")).to_be_visible()
    await page.get_by_label("Signing secret").fill("whsec_" + "B" * 32)
    await visitor.look("play", visitor.press("Verify signatures"))


async def test_pages_without_a_session_pass_axe(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True, reduced_motion="reduce")
    for path in ("/portal/", "/portal/#key=used", "/play/view/xxxxxxxxxxxxxxxxxxxxxxxx"):
        await page.goto("about:blank")
        await page.goto(stage.url + path)
        await expect(page.locator("main.alone h1")).to_be_visible()
        await scanned(page, path, {"phone": SIZES["phone"]}, picture=False)


async def test_the_documentation_of_the_api_passes_axe(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True, viewport=SIZES["phone"])
    await page.goto(f"{stage.url}/docs")
    await page.locator("summary").first.click()
    # All operations are made alike, and there are some two hundred, which takes a minute: some of them are enough.
    await page.evaluate("[...document.querySelectorAll('main details')].forEach((one, at) => at % 15 && one.remove())")
    await bring_scanner(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await clean(page, scheme, colours_only=scheme == "dark")


async def test_the_keyboard_is_enough(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.portal()
    await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Add endpoint")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Alerts")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name=receiver.url)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("tab", name="Overview")).to_be_visible()
    await page.get_by_role("tab", name="Overview").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Testing")).to_be_focused()
    await page.get_by_role("button", name="Send example").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Succeeded")).to_be_visible()
