"""The portal in a page of the platform, on another origin."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import FrameLocator, Page, expect
from receivers import Receiver

from .conftest import Stage, staged
from .scanning import pictured

HOST = """<!doctype html><html lang="en"><title>Host</title><body style="margin: 0">
<script src="{url}/portal/embed.js" async></script>
<header style="height: 900px"><a href="#before" id="before">Before</a></header>
<webhook-portal src="{link}" {attributes}></webhook-portal>
<footer><a href="#after" id="after">After</a></footer>"""


async def _nothing(request: web.Request) -> web.Response:
    return web.Response(status=204)


class Host:
    """A page of a platform, with a port of its own."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.body = ""


@asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = Host(f"http://127.0.0.1:{port}")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=host.body, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    app.router.add_get("/favicon.ico", _nothing)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield host
    finally:
        await runner.cleanup()


async def opened(stage: Stage, host: Host, attributes: str = "", **options: object) -> tuple[Page, FrameLocator]:
    link = await stage.engine.portal.url("acme")
    host.body = HOST.format(url=stage.url, link=link, attributes=attributes)
    page = await stage.page(**options)
    await page.goto(host.origin)
    frame = page.frame_locator("webhook-portal iframe")
    await expect(frame.get_by_role("heading", level=1)).to_be_visible()
    return page, frame


async def height(page: Page) -> float:
    return float(await page.locator("webhook-portal iframe").evaluate("frame => frame.getBoundingClientRect().height"))


async def fits(page: Page, frame: FrameLocator) -> None:
    """The frame is as high as what is in it."""
    content = frame.locator("body")
    for _ in range(100):
        high = float(await content.evaluate("body => body.getBoundingClientRect().height"))
        if abs(high - await height(page)) <= 1:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(f"{high} in {await height(page)}")


async def test_the_frame_is_as_high_as_the_portal_and_keyboard_and_focus_go_through_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with hosted() as host, staged(tmp_path / "engine.db", portal__frame_ancestors=[host.origin]) as stage:
        for number in range(40):
            await stage.engine.endpoints.create("acme", url=f"{receiver.url}/{number}")
        page, frame = await opened(stage, host)
        await expect(frame.get_by_role("link", name=f"{receiver.url}/39")).to_be_visible()
        await fits(page, frame)
        assert await height(page) > 2_000
        assert not await frame.locator("html").evaluate("html => html.scrollHeight > html.clientHeight + 1")

        # By keyboard alone: into the frame, through it, and out at its other end.
        await page.locator("#before").focus()
        await page.keyboard.press("Tab")
        await expect(frame.get_by_role("link", name="Skip to content")).to_be_focused()
        await frame.get_by_role("link", name=f"{receiver.url}/39").focus()
        await page.keyboard.press("Enter")
        await expect(frame.get_by_role("tab", name="Overview")).to_be_visible()
        await fits(page, frame)
        # The new page begins where it can be seen.
        await expect(frame.get_by_role("heading", level=1)).to_be_in_viewport()
        await frame.get_by_label("Language").focus()
        await page.keyboard.press("Tab")
        await expect(page.locator("#after")).to_be_focused()
        await page.keyboard.press("Shift+Tab")
        await expect(frame.get_by_label("Language")).to_be_focused()

        # What floats comes up where the reader is, takes the focus, and gives it back.
        await frame.get_by_role("tab", name="Settings").click()
        remove = frame.get_by_role("button", name="Delete endpoint")
        await remove.click()
        await expect(frame.get_by_role("dialog")).to_be_in_viewport(ratio=1)
        await pictured(page, "desktop-frame-dialog")
        await page.keyboard.press("Escape")
        await expect(remove).to_be_focused()
        await frame.get_by_role("button", name="Disable endpoint").click()
        await frame.get_by_role("button", name="Disable", exact=True).click()
        await expect(frame.get_by_text("The endpoint is disabled")).to_be_in_viewport(ratio=1)
        assert stage.problems == []


async def test_theme_language_and_colour_follow_the_page_around(tmp_path: Path) -> None:
    async with hosted() as host, staged(tmp_path / "engine.db", portal__frame_ancestors=[host.origin]) as stage:
        page, frame = await opened(
            stage, host, 'theme="dark" language="de" primary-color="#28bb93" next="/messages"', color_scheme="light"
        )
        await expect(frame.get_by_role("heading", level=1)).to_have_text("Nachrichten")
        ground = frame.locator("body")
        await expect(ground).to_have_css("background-color", "rgb(13, 16, 23)")
        portal = page.locator("webhook-portal")
        await portal.evaluate("element => element.setAttribute('theme', 'light')")
        await expect(ground).to_have_css("background-color", "rgb(247, 248, 250)")
        await portal.evaluate("element => element.setAttribute('primary-color', '#800000')")
        await expect(frame.locator(".nav a[aria-current]")).to_have_css("color", "rgb(128, 0, 0)")
        await portal.evaluate("element => element.setAttribute('language', 'fr')")
        await expect(frame.get_by_role("heading", level=1)).to_have_text("Messages")
        await expect(frame.locator("html")).to_have_attribute("lang", "fr")
        # Where something is typed, a language is not worth losing it.
        await portal.evaluate("element => element.setAttribute('language', 'en')")
        await expect(frame.locator("html")).to_have_attribute("lang", "en")
        assert stage.problems == []


async def test_a_page_that_may_not_embed_the_portal_is_not_listened_to(tmp_path: Path) -> None:
    async with (
        hosted() as host,
        hosted() as stranger,
        staged(tmp_path / "engine.db", portal__frame_ancestors=[host.origin]) as stage,
    ):
        link = await stage.engine.portal.url("acme")
        stranger.body = HOST.format(url=stage.url, link=link, attributes="")
        page = await stage.page()
        await page.goto(stranger.origin)
        await page.wait_for_function("document.querySelector('webhook-portal iframe') !== null")
        frame = page.frame_locator("webhook-portal iframe")
        await expect(frame.get_by_role("heading", level=1)).to_have_count(0)

        # The portal itself does not heed what comes from another window than the one around it.
        stage.problems.clear()
        page, frame = await opened(stage, host, color_scheme="light")
        said = "{ source: 'webhook-portal', theme: 'dark' }"
        await frame.locator("body").evaluate(f"() => window.postMessage({said}, '*')")
        await frame.locator("body").evaluate("() => new Promise((resolve) => setTimeout(resolve))")
        await expect(frame.locator("body")).to_have_css("background-color", "rgb(247, 248, 250)")
        assert stage.problems == []
