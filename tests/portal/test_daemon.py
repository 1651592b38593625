"""The whole way with the daemon as a process of its own, which is killed while the portal is open."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from playwright.async_api import expect

from .conftest import INVOICE_SCHEMA, browsing

PATIENCE_S = 30


async def program(directory: Path, url: str, *arguments: str) -> Process:
    """A process of the command line."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from webhook_engine.cli import main; main()",
        *arguments,
        cwd=directory,
        env={**os.environ, "WEBHOOK_ENGINE_SERVER__LISTEN": url.removeprefix("http://"), "WEBHOOK_ENGINE_URL": url},
        stdout=PIPE,
        stderr=DEVNULL,
    )


async def printed(directory: Path, url: str, *arguments: str) -> str:
    """What a command prints."""
    process = await program(directory, url, *arguments)
    out, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return out.decode().strip()


@asynccontextmanager
async def daemon(directory: Path, url: str) -> AsyncIterator[None]:
    """A daemon with no configuration but its address; it is killed at the end."""
    process = await program(directory, url, "serve")
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as client:
            while True:
                try:
                    async with client.get(f"{url}/api/v1/health/ping") as answer:
                        assert answer.status == 204
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_a_customer_goes_on_after_the_daemon_was_killed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with browsing() as browser:
        page = await browser.new_page()
        async with daemon(tmp_path, url):
            headers = {"authorization": f"Bearer {await printed(tmp_path, url, 'token')}"}
            async with aiohttp.ClientSession(f"{url}/api/v1/", headers=headers, raise_for_status=True) as api:
                await api.post("app", json={"name": "Acme", "uid": "acme"})
                await api.post(
                    "event-type", json={"name": "invoice.paid", "description": "Paid", "schemas": INVOICE_SCHEMA}
                )
            await page.goto(await printed(tmp_path, url, "portal", "acme"))
            await page.get_by_role("button", name="Add endpoint").click()
            await page.get_by_role("button", name="Use Play").click()
            await expect(page.get_by_role("link", name="watch what arrives")).to_be_visible()
            await page.get_by_role("button", name="Create endpoint").click()
            await page.get_by_role("tab", name="Testing").click()
            await page.get_by_role("button", name="Send example").click()
            await expect(page.get_by_text("Succeeded")).to_be_visible()
            await page.get_by_role("link", name="Messages").click()
            await expect(page.get_by_role("link", name="invoice.paid")).to_have_count(1)
        await expect(page.get_by_text("The server cannot be reached")).to_be_visible()
        async with daemon(tmp_path, url):
            async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as api:
                await api.post(f"{url}/api/v1/app/acme/msg", json={"eventType": "invoice.paid", "payload": {}})
            await expect(page.get_by_role("link", name="invoice.paid")).to_have_count(2)
            await expect(page.get_by_text("Succeeded")).to_have_count(2)
            await expect(page.get_by_text("The server cannot be reached")).to_be_hidden()
