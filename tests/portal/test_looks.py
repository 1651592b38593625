"""The pages in the platform's own colours, by its settings and by what stands in a link."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Page, Route, expect
from receivers import Receiver

from webhook_engine.server.portal.accent import LEGIBLE, contrast

from .conftest import Stage, staged
from .scanning import SIZES, bring_scanner, clean, pictured

ELSEWHERE = re.compile("^https:")
CDN = "https://cdn.example.com"
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="28"><rect width="90" height="28" fill="#0f766e"/></svg>'
)
LOOKED = """element => {
  const style = getComputedStyle(element);
  return [style.color, style.backgroundColor, style.fontFamily];
}"""


async def seen(page: Page, selector: str) -> tuple[str, str, str]:
    """Text colour, background colour and font of an element, as they are."""
    colour, background, font = await page.locator(selector).first.evaluate(LOOKED)
    return _hex(colour), _hex(background), font


def _hex(text: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in text[text.index("(") + 1 : -1].split(",")[:3])


async def answer_pictures(page: Page, asked: list[str]) -> None:
    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(body=LOGO, content_type="image/svg+xml")

    await page.route(ELSEWHERE, answer)


async def test_the_settings_show(tmp_path: Path, receiver: Receiver) -> None:
    looks = {
        "portal__name": "Globex Webhooks",
        "portal__logo": f"{CDN}/logo.svg",
        "portal__primary_color": "#ffd400",
        "portal__font": "Globex Sans",
        "portal__theme": "dark",
        "portal__home_url": "https://app.example.com/",
        "portal__docs_url": "https://docs.example.com/",
    }
    async with staged(tmp_path / "engine.db", **looks) as stage:
        await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await stage.page(color_scheme="light", bypass_csp=True)
        asked: list[str] = []
        await answer_pictures(page, asked)
        await page.goto(await stage.engine.portal.url("acme"))
        await expect(page.get_by_role("banner")).to_contain_text("Globex Webhooks")
        await expect(page).to_have_title("Endpoints · Globex Webhooks")
        home = page.get_by_role("link", name="Back to Globex Webhooks")
        await expect(home).to_have_attribute("href", "https://app.example.com/")
        await expect(page.get_by_role("link", name="Documentation")).to_have_attribute(
            "href", "https://docs.example.com/"
        )
        await expect(page.locator(".brand img")).to_be_visible()
        assert asked == [f"{CDN}/logo.svg"]
        ink, fill, font = await seen(page, ".button.main")
        assert (ink, fill) == ("#000000", "#ffd400")
        assert font.startswith('"Globex Sans"')
        ground = (await seen(page, "body"))[1]
        assert ground == "#0d1017"  # dark, whatever the reader's system says
        await bring_scanner(page)
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            for theme in ("light", "dark"):
                await page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                await clean(page, f"own looks, {size}, {theme}", colours_only=theme == "dark")
                await pictured(page, f"{size}-{theme}-own-looks")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert stage.problems == []


async def test_a_logo_that_does_not_come_leaves_no_hole(tmp_path: Path) -> None:
    async with staged(tmp_path / "engine.db", portal__logo=f"{CDN}/logo.svg") as stage:
        page = await stage.page()
        await page.route(ELSEWHERE, lambda route: route.abort())
        await page.goto(await stage.engine.portal.url("acme"))
        await expect(page.locator(".brand svg")).to_be_visible()
        await expect(page.locator(".brand img")).to_have_count(0)


async def test_a_link_says_how_the_page_looks_and_where_it_begins(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "engine.db", portal__image_origins=[CDN]) as stage:
        endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await stage.page(color_scheme="light")
        asked: list[str] = []
        await answer_pictures(page, asked)
        # As the client libraries for React put it together: before the key.
        said = f"darkMode=true&primaryColor=28bb93&fontFamily=Georgia&icon={CDN}/i.svg&next=/endpoints/{endpoint.id}"
        link = await stage.engine.portal.url("acme")
        await page.goto(link.replace("#", f"?{said}#"))
        await expect(page.get_by_role("tab", name="Overview")).to_be_visible()
        assert page.url.endswith(f"#/endpoints/{endpoint.id}")
        assert "next=" not in page.url
        colour, _, font = await seen(page, ".tab[aria-selected=true]")
        assert contrast(colour, (await seen(page, "body"))[1]) >= LEGIBLE
        assert font.startswith("Georgia")
        assert asked == [f"{CDN}/i.svg"]
        # It stays so: after a reload, and on other pages.
        await page.reload()
        await page.get_by_role("link", name="Endpoints", exact=True).click()
        await expect(page.get_by_role("button", name="Add endpoint")).to_be_visible()
        assert (await seen(page, ".button.main"))[1] == "#28bb93"
        assert (await seen(page, "body"))[1] == "#0d1017"
        assert stage.problems == []


async def test_the_same_behind_the_key(stage: Stage) -> None:
    page = await stage.page(color_scheme="dark")
    await page.goto(
        f"{await stage.engine.portal.url('acme')}&darkMode=false&primaryColor=%23800&lang=de&next=/event-types"
    )
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ereigniskatalog")
    assert (await seen(page, "body"))[1] == "#f7f8fa"
    assert (await seen(page, ".nav a[aria-current]"))[0] == "#880000"
    assert "key=" not in page.url
    assert stage.problems == []


async def test_what_a_link_may_not_say_changes_nothing(stage: Stage) -> None:
    plain = await stage.portal(color_scheme="light")
    before = await seen(plain, ".button.main"), await seen(plain, "body")
    page = await stage.page(color_scheme="light")
    said = (
        "darkMode=purple&primaryColor=red;}*{display:none}&fontFamily=x;}body{display:none}"
        "&icon=https://elsewhere.example.com/i.png&next=//elsewhere.example.com/"
    )
    link = await stage.engine.portal.url("acme")
    await page.goto(link.replace("#", f"?{said}#"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Endpoints")
    assert (await seen(page, ".button.main"), await seen(page, "body")) == before
    await page.goto(f"{stage.url}/portal/?next=javascript:alert(1)#/messages")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Messages")
    assert [url for url in stage.requested if "elsewhere" in url and not url.startswith(stage.url)] == []
    assert stage.problems == []
