"""Pages as everybody sees them: scanned with axe-core, by day and by night, narrow and wide, and kept as pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files

from playwright.async_api import Page, ViewportSize
from playwright.async_api import TimeoutError as TookTooLong

from .conftest import ARTEFACTS

__all__ = ["SIZES", "bring_scanner", "clean", "pictured", "scanned"]

SIZES: Mapping[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 860},
    "phone": {"width": 390, "height": 844},
}
RUN_AXE = "options => axe.run({ resultTypes: ['violations'], ...options }).then(({ violations }) => violations)"
COLOURS = {"runOnly": ["color-contrast"]}
DRAWN_WITHIN_MS = 10_000


async def bring_scanner(page: Page) -> None:
    """Put the scanner into a page, which its Content-Security-Policy rightly forbids: ``bypass_csp``."""
    if not await page.evaluate("'axe' in window"):
        await page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text("utf-8"))


async def clean(page: Page, name: str, *, colours_only: bool = False) -> None:
    """Nothing is against the rules; another theme has other colours, and nothing else."""
    violations = await page.evaluate(RUN_AXE, COLOURS if colours_only else {})
    told = [
        {"rule": each["id"], "nodes": [node["html"][:200] + " " + node["failureSummary"] for node in each["nodes"][:3]]}
        for each in violations
    ]
    assert told == [], f"{name}: {json.dumps(told, indent=1)}"


async def pictured(page: Page, name: str, *, full_page: bool = False) -> None:
    """Keep a picture for people to look at. It proves nothing: a browser that now and then draws none fails no test."""
    ARTEFACTS.mkdir(exist_ok=True)
    try:
        await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=full_page, timeout=DRAWN_WITHIN_MS)
    except TookTooLong as error:
        print(f"no picture of {name}: {error}")


async def scanned(
    page: Page, name: str, sizes: Mapping[str, ViewportSize] = SIZES, *, full_page: bool = True, picture: bool = True
) -> None:
    """The page as it is now passes in every size, by day and by night, and fits into its width."""
    await bring_scanner(page)
    for size, viewport in sizes.items():
        await page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await clean(page, f"{name}, {size}, {scheme}", colours_only=scheme == "dark")
            if picture:
                await page.evaluate("scrollTo(0, 0)")  # the bar at the top stands in the midst of the picture otherwise
                await pictured(page, f"{size}-{scheme}-{name}", full_page=full_page)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
