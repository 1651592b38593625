"""The portal and Play behind a reverse proxy that puts them under a path."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
from aiohttp import web
from playwright.async_api import expect

from .conftest import staged

PREFIX = "/some/hooks"


async def test_everything_works_under_a_path(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    public_url = f"http://127.0.0.1:{port}{PREFIX}"
    async with (
        staged(tmp_path / "engine.db", server__public_url=public_url) as stage,
        aiohttp.ClientSession(auto_decompress=False) as client,
    ):

        async def forward(request: web.Request) -> web.StreamResponse:
            target = stage.url + request.raw_path.removeprefix(PREFIX)
            async with client.request(
                request.method, target, headers=request.headers, data=await request.read(), allow_redirects=False
            ) as answer:
                # Passed on as it comes: the page keeps a stream of changes open.
                passed_on = web.StreamResponse(status=answer.status, headers=answer.headers)
                await passed_on.prepare(request)
                async for chunk in answer.content.iter_any():
                    await passed_on.write(chunk)
                return passed_on

        proxy = web.Application()
        proxy.router.add_route("*", PREFIX + "/{rest:.*}", forward)
        runner = web.AppRunner(proxy, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            page = await stage.portal()
            assert page.url.startswith(f"{public_url}/portal/")
            await page.get_by_role("button", name="Add endpoint").click()
            await page.get_by_role("button", name="Use Play").click()
            await expect(page.get_by_role("link", name="watch what arrives")).to_be_visible()
            async with page.context.expect_page() as opened:
                await page.get_by_role("link", name="watch what arrives").click()
            play = await opened.value
            assert play.url.startswith(f"{public_url}/play/view/")
            await page.get_by_role("button", name="Create endpoint").click()
            await page.get_by_role("tab", name="Testing").click()
            await page.get_by_role("button", name="Send example").click()
            await expect(page.get_by_text("Succeeded")).to_be_visible()
            await expect(play.get_by_role("region", name="Body")).to_contain_text("inv_1042")
            assert stage.problems == []
        finally:
            await runner.cleanup()
