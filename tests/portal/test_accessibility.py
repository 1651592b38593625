"""Every page, by day and by night, narrow and wide: scanned with axe-core, used with the keyboard, kept as pictures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files

import pytest
from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import ARTEFACTS, Stage

SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
RUN_AXE = "() => axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_passes_axe_and_is_kept_as_a_picture(
    stage: Stage, receiver: Receiver, scheme: str, size: str
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
    await engine.join(10)
    # The scanner has to be put into the page, which its Content-Security-Policy rightly forbids.
    page = await stage.portal(color_scheme=scheme, viewport=SIZES[size], bypass_csp=True)
    await page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text("utf-8"))

    async def look(name: str, address: str, prepare: Callable[[], Awaitable[object]] | None = None) -> None:
        await page.goto(f"{stage.url}/portal/#{address}")
        await expect(page.locator("main h1")).to_be_visible()
        await expect(page.locator(".loading:visible")).to_have_count(0)
        if prepare is not None:
            await prepare()
        await asyncio.sleep(0.3)
        await _clean(page, name)
        ARTEFACTS.mkdir(exist_ok=True)
        await page.screenshot(path=ARTEFACTS / f"{size}-{scheme}-{name}.png", full_page=True)

    await look("endpoints", "/endpoints")
    await look("new-endpoint", "/endpoints/new")
    await look("endpoint", f"/endpoints/{endpoint.id}")
    await look("disabled", f"/endpoints/{legacy.id}")
    await look(
        "testing", f"/endpoints/{endpoint.id}?tab=testing", page.get_by_role("button", name="Send example").click
    )
    await look("verify", f"/endpoints/{endpoint.id}?tab=verify")
    await look("settings", f"/endpoints/{endpoint.id}?tab=settings")
    await look("messages", "/messages")
    await look("message", f"/messages/{message.id}", page.locator("details.attempt summary").first.click)
    await look("catalogue", "/catalogue", page.locator(".catalogue summary").first.click)


@pytest.mark.parametrize("path", ["/portal/", "/portal/#key=used", "/play/", "/play/view/xxxxxxxxxxxxxxxxxxxxxxxx"])
async def test_pages_without_a_session_pass_axe(stage: Stage, path: str) -> None:
    page = await stage.page(bypass_csp=True)
    await page.goto(stage.url + path)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    await _clean(page, path)


async def test_the_keyboard_is_enough(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.portal()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Add endpoint")).to_be_focused()
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


async def _clean(page: Page, name: str) -> None:
    violations = await page.evaluate(RUN_AXE)
    told = [
        {"rule": each["id"], "nodes": [node["html"][:200] + " " + node["failureSummary"] for node in each["nodes"][:3]]}
        for each in violations
    ]
    assert told == [], f"{name}: {json.dumps(told, indent=1)}"
