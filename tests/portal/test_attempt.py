"""The whole attempt: what was sent, what came back, why it failed, and what to do with it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from receivers import Receiver, Reply

from webhook_engine import Webhook

from .conftest import Stage, staged

LADDER = ["20ms", "20ms", "1h", "1h", "1h", "1h", "1h"]
AWKWARD = b'{"it\'s": "a \\"quote\\"",\n "and": "$HOME `x` \\\\ \xc3\xa9"}'


async def opened(stage: Stage, message_id: str) -> Page:
    """The page of a message, with its last attempt open; what is copied can be read back."""
    page = await stage.portal(permissions=["clipboard-read", "clipboard-write"])
    await page.goto(f"{stage.url}/portal/#/messages/{message_id}")
    await page.locator("details.attempt summary").first.click()
    await expect(page.get_by_role("heading", name="Request headers")).to_be_visible()
    return page


async def test_each_attempt_says_which_it_is_why_it_failed_and_when_the_next_one_comes(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answer(Reply(503, body=b'{"error":"database is down"}'))
    async with staged(tmp_path / "engine.db", retry_schedule=LADDER) as stage:
        await stage.engine.endpoints.create("acme", url=receiver.url)
        message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
        await receiver.wait_for(3)
        page = await opened(stage, message.id)
        await expect(page.get_by_text("Attempt 3 of 8")).to_be_visible()
        await expect(page.get_by_text("Attempt 1 of 8")).to_be_visible()
        await expect(page.get_by_text(re.compile(r"Next attempt in (59|60|1 h) "))).to_be_visible()
        await expect(page.get_by_text("Your server was not ready: 503")).to_be_visible()
        await expect(page.get_by_text("Waiting for the first byte")).to_be_visible()
        await page.get_by_text("Response headers").click()
        await expect(page.get_by_text("HTTP/1.1 503")).to_be_visible()
        await page.get_by_text("Request body").click()
        await expect(page.get_by_role("region", name="Request body")).to_contain_text('{"id":1}')
        assert stage.problems == []


async def test_two_attempts_are_compared(stage: Stage, receiver: Receiver) -> None:
    receiver.answer([Reply(500, body=b"first words"), 200])
    await stage.engine.endpoints.create("acme", url=receiver.url)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    await stage.engine.join(10)
    page = await opened(stage, message.id)
    choice = page.get_by_label("Compare with another attempt")
    await choice.select_option(index=1)
    table = page.get_by_role("region", name="Differences")
    await expect(table.get_by_role("columnheader", name="Attempt 1 of 2")).to_be_visible()
    await expect(table.get_by_role("row", name="Status")).to_contain_text("500")
    await expect(table.get_by_role("row", name="user-agent")).to_have_count(0)
    await expect(page.get_by_role("region", name="Response of Attempt 1 of 2")).to_contain_text("first words")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="there is no curl or bash here")
async def test_the_copied_command_sends_the_very_same_request(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=f"{receiver.url}?it's=1", headers={"X-Team": "it's us"})
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload=AWKWARD)
    [sent] = await receiver.wait_for(1)
    page = await opened(stage, message.id)
    await page.get_by_role("button", name="Copy as curl").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    command = await page.evaluate("navigator.clipboard.readText()")
    process = await asyncio.create_subprocess_exec("bash", "-c", command, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0
    _, again = await receiver.wait_for(2)
    assert again.body == sent.body == AWKWARD
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "svix-signature", "content-type", "x-team"):
        assert again.headers[name] == sent.headers[name], name
    secret = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    Webhook(secret).verify(again.body, dict(again.headers))


async def test_the_payload_is_downloaded_to_the_byte_and_shown_raw_and_formatted(
    stage: Stage, receiver: Receiver, tmp_path: Path
) -> None:
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload=AWKWARD)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download payload").click()
    download = await started.value
    await download.save_as(tmp_path / "payload")
    assert (tmp_path / "payload").read_bytes() == AWKWARD
    assert download.suggested_filename == f"{message.id}.json"
    shown = page.get_by_role("region", name="Payload")
    assert json.loads(await shown.inner_text()) == json.loads(AWKWARD)
    await page.get_by_role("button", name="Formatted").click()
    await expect(shown).to_contain_text('"and": ')


async def test_a_link_opens_the_attempt_that_it_names(stage: Stage, receiver: Receiver) -> None:
    receiver.answer([500, 200])
    await stage.engine.endpoints.create("acme", url=receiver.url)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    await stage.engine.join(10)
    page = await opened(stage, message.id)
    await page.locator("details.attempt > summary").nth(1).click()
    await page.get_by_role("button", name="Copy link to this attempt").nth(1).click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    await page.goto("about:blank")
    await page.goto(link)
    await expect(page.locator("details.attempt[open]")).to_have_count(1)
    await expect(page.locator("details.attempt[open]")).to_contain_text("Attempt 1 of 2")
