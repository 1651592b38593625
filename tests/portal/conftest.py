"""A real browser on a real, served engine. Where there is no browser, these tests are skipped, and say so."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error, Page, Route, async_playwright, expect
from receivers import Receiver

from webhook_engine import Engine

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = Path(__file__).parent.parent / "artefacts"
INVOICE_SCHEMA = {
    "1": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "amount": {"type": "number"}},
        "examples": [{"id": "inv_1042", "amount": 129.5, "currency": "EUR"}],
    }
}

expect.set_options(timeout=10_000)


class Stage:
    """An engine with its server, an application ``acme``, and a browser."""

    def __init__(self, engine: Engine, url: str, browser: Browser) -> None:
        self.engine = engine
        self.url = url
        self.browser = browser
        self.problems: list[str] = []
        """What the browser complained about, such as a violated Content-Security-Policy."""
        self.requested: list[str] = []
        """Every URL that the browser asked for, and every Referer that it sent."""
        self._contexts: list[BrowserContext] = []

    async def context(self, **options: object) -> BrowserContext:
        """A browser without a past."""
        one = await self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        self._contexts.append(one)
        return one

    async def close(self) -> None:
        """Close all pages; the browser goes on for others."""
        for one in self._contexts:
            await one.close()

    async def page(self, context: BrowserContext | None = None, **options: object) -> Page:
        """An empty page whose complaints and requests are noted."""
        page = await (context or await self.context(**options)).new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.requested.extend((request.url, request.headers.get("referer", ""))))
        return page

    async def portal(self, application: str = "acme", *, read_only: bool = False, **options: object) -> Page:
        """The portal, opened by a fresh link."""
        page = await self.page(**options)
        await page.goto(await self.engine.portal.url(application, read_only=read_only))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        return page

    @staticmethod
    async def held(page: Page, address: str) -> Callable[[], Awaitable[None]]:
        """Hold back all requests to an address until what is returned is called."""
        free = asyncio.Event()

        async def hold(route: Route) -> None:
            await free.wait()
            await route.continue_()

        async def release() -> None:
            free.set()

        await page.route(address, hold)
        return release


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A headless browser; skips the test where there is none."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        except Error as error:
            pytest.skip(f"no browser: install Debian's chromium ({str(error).splitlines()[0]})")
        try:
            yield browser
        finally:
            await browser.close()


class SharedBrowser:
    """The browser of all tests here, which is started when it is first asked for: that takes seconds."""

    def __init__(self, until: AsyncExitStack) -> None:
        self._until = until
        self._browser: Browser | None = None

    async def get(self) -> Browser:
        """Started, whoever asks; skips the test where there is none."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self._until.enter_async_context(browsing())
        return self._browser


_shared: SharedBrowser


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def shared_browser() -> AsyncIterator[None]:
    """For the whole run."""
    global _shared
    async with AsyncExitStack() as until:
        _shared = SharedBrowser(until)
        yield


@asynccontextmanager
async def staged(database: Path, **settings: object) -> AsyncIterator[Stage]:
    """A stage with an engine of its own."""
    options = {"allow_subnets": ["127.0.0.0/8"], "retry_schedule": ["100ms"], "jitter": 0, **settings}
    async with (
        Engine.open(database, **options) as engine,  # type: ignore[arg-type]
        engine.serve("127.0.0.1:0") as server,
    ):
        await engine.applications.create(name="Acme Corporation", uid="acme")
        await engine.event_types.create(
            name="invoice.paid", description="An invoice was paid in full", schemas=INVOICE_SCHEMA
        )
        await engine.event_types.create(name="user.created", description="Somebody signed up")
        stage = Stage(engine, server.url, await _shared.get())
        try:
            yield stage
        finally:
            await stage.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """An engine, its server and a browser."""
    async with staged(tmp_path / "engine.db") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that answers 200 until it is told otherwise."""
    async with Receiver() as one:
        yield one


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser takes its time: these tests are among the longer proofs, and share one, and so its event loop."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
