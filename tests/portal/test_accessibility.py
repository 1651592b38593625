"""Every page, by day and by night, narrow and wide: scanned with axe-core, used with the keyboard, kept as pictures."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib.resources import files

import aiohttp
import pytest
from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import ARTEFACTS, Stage

SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
RUN_AXE = "() => axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)"


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_passes_axe_by_day_and_by_night_and_is_kept_as_a_picture(
    stage: Stage, receiver: Receiver, size: str
) -> None:
    receiver.answer(lambda request: 200 if b"good" in request.body else 410 if b"gone" in request.body else 500)
    engine = stage.engine
    endpoint = await engine.endpoints.create(
        "acme", url=receiver.url, description="Production", event_types=["invoice.paid"], channels=["eu"]
    )
    legacy = await engine.endpoints.create("acme", url=f"{receiver.url}/legacy", event_types=["user.created"])
    message = await engine.messages.create("acme", event_type="invoice.paid", payload={"good": 1}, channels=["eu"])
    await engine.messages.create("acme", event_type="invoice.paid", payload={"bad": 1}, channels=["eu"])
    await engine.messages.create("acme", event_type="user.created", payload={"gone": True})
    await engine.applications.create(name="Nothing yet", uid="empty")
    await engine.join(10)
    # The scanner has to be put into the page, which its Content-Security-Policy rightly forbids.
    page = await stage.portal(viewport=SIZES[size], bypass_csp=True, reduced_motion="reduce")
    await bring_scanner(page)

    async def look(name: str, prepare: Callable[[], Awaitable[object]] | None = None) -> None:
        await expect(page.locator("main h1")).to_be_visible()
        await expect(page.locator(".loading:visible")).to_have_count(0)
        if prepare is not None:
            await prepare()
        ARTEFACTS.mkdir(exist_ok=True)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await clean(page, f"{name}, {scheme}")
            await page.screenshot(path=ARTEFACTS / f"{size}-{scheme}-{name}.png", full_page=True)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    async def visit(name: str, address: str, prepare: Callable[[], Awaitable[object]] | None = None) -> None:
        await page.goto(f"{stage.url}/portal/#{address}")
        await look(name, prepare)

    def press(name: str) -> Callable[[], Awaitable[object]]:
        return page.get_by_role("button", name=name).click

    await visit("endpoints", "/endpoints")
    await visit("new-endpoint", "/endpoints/new", press("Create endpoint"))
    await visit("endpoint", f"/endpoints/{endpoint.id}", press("Reveal signing secret"))
    await visit("disabled", f"/endpoints/{legacy.id}")
    await visit("testing", f"/endpoints/{endpoint.id}?tab=testing", press("Send example"))
    await visit("verify", f"/endpoints/{endpoint.id}?tab=verify")
    await visit("settings", f"/endpoints/{endpoint.id}?tab=settings")
    await look("delete", press("Delete endpoint"))
    await press("Cancel")()
    await visit("messages", "/messages")
    await page.get_by_label("From").fill("2100-01-01")
    await look("no-messages", page.get_by_text("No message fits these filters.").wait_for)
    await page.route("**/api/**", lambda route: route.abort())
    await look("away", page.locator(".away svg").wait_for)
    await page.unroute("**/api/**")
    await visit("message", f"/messages/{message.id}", page.locator("details.attempt summary").first.click)
    await visit("catalogue", "/catalogue", page.locator(".catalogue summary").first.click)
    await visit("missing", "/endpoints/ep_none", page.get_by_text("There is no such endpoint").wait_for)

    await page.goto(await engine.portal.url("empty"))
    await look("empty", page.get_by_text("No endpoints yet").wait_for)
    await page.goto(f"{stage.url}/play/")
    await bring_scanner(page)
    await look("play-welcome")
    await press("Create an inbox")()
    await expect(page.get_by_text("Nothing has arrived yet")).to_be_visible()
    await bring_scanner(page)
    await look("play-empty")
    async with aiohttp.ClientSession() as client:
        await client.post(await page.locator(".secret code").inner_text(), json={"n": 1})
    await expect(page.get_by_role("region", name="Body")).to_be_visible()
    await page.get_by_label("Signing secret").fill("whsec_" + "B" * 32)
    await look("play", press("Verify signatures"))


async def test_pages_without_a_session_pass_axe(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True, reduced_motion="reduce")
    for path in ("/portal/", "/portal/#key=used", "/play/view/xxxxxxxxxxxxxxxxxxxxxxxx"):
        await page.goto("about:blank")
        await page.goto(stage.url + path)
        await expect(page.locator("main.alone h1")).to_be_visible()
        await bring_scanner(page)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            await clean(page, f"{path}, {scheme}")


async def test_the_documentation_of_the_api_passes_axe(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True, viewport=SIZES["phone"])
    await page.goto(f"{stage.url}/docs")
    await page.locator("summary").first.click()
    await bring_scanner(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await clean(page, scheme)


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


async def bring_scanner(page: Page) -> None:
    await page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text("utf-8"))


async def clean(page: Page, name: str) -> None:
    violations = await page.evaluate(RUN_AXE)
    told = [
        {"rule": each["id"], "nodes": [node["html"][:200] + " " + node["failureSummary"] for node in each["nodes"][:3]]}
        for each in violations
    ]
    assert told == [], f"{name}: {json.dumps(told, indent=1)}"
