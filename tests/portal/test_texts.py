"""Nothing that anybody supplies is ever read as HTML."""

from __future__ import annotations

import aiohttp
from playwright.async_api import Page, expect
from receivers import Receiver, Reply

from .conftest import Stage

ATTACK = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\'"><svg onload=window.hit=1>'


async def test_texts_of_everybody_stay_texts(stage: Stage, receiver: Receiver) -> None:
    engine = stage.engine
    receiver.answer(Reply(500, body=f"<html>{ATTACK}".encode()))
    await engine.applications.update("acme", name=ATTACK)
    schema = {"1": {"title": ATTACK, "examples": [{"text": ATTACK, ATTACK: 1}]}}
    await engine.event_types.update("invoice.paid", description=ATTACK, schemas=schema)
    endpoint = await engine.endpoints.create(
        "acme",
        url=f"{receiver.url}?x=%3Cscript%3E'\"",
        description=ATTACK,
        headers={"X-Attack": ATTACK},
        event_types=["invoice.paid"],
    )
    message = await engine.messages.create("acme", event_type="invoice.paid", payload={"text": ATTACK, ATTACK: 1})
    await engine.join(10)
    page = await stage.portal()
    await expect(page.get_by_role("banner")).to_contain_text(ATTACK)
    await expect(page.get_by_role("main")).to_contain_text(ATTACK)
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    for tab in ("Verify", "Settings", "Testing"):
        await page.get_by_role("tab", name=tab).click()
        await expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        if tab == "Settings":
            await expect(page.get_by_text("X-Attack")).to_be_visible()
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_role("region", name="Response")).to_contain_text("<html>")
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await page.locator("details.attempt summary").first.click()
    await expect(page.get_by_role("region", name="Response")).to_contain_text(ATTACK)
    await expect(page.get_by_role("region", name="Payload")).to_contain_text("onerror")
    await expect(page.get_by_role("cell", name="onerror")).to_be_visible()
    await page.get_by_role("link", name="Event catalogue").click()
    await page.locator("summary").first.click()
    await expect(page.get_by_role("region", name="Schema")).to_contain_text("onerror")
    await _unharmed(stage, page)


async def test_what_play_received_stays_text(stage: Stage) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{stage.url}/play/") as answer:
            inbox = await answer.json()
        page = await stage.page()
        await page.goto(inbox["viewUrl"])
        await expect(page.get_by_text("Nothing has arrived yet")).to_be_visible()
        await client.post(f"{inbox['url']}?q={ATTACK}", data=ATTACK, headers={"X-Attack": ATTACK})
    await expect(page.get_by_role("region", name="Body")).to_have_text(ATTACK)
    await expect(page.get_by_role("cell", name="onerror")).to_be_visible()
    await _unharmed(stage, page)


async def test_a_body_that_is_made_to_stall_the_page_does_not(stage: Stage) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{stage.url}/play/") as answer:
            inbox = await answer.json()
        await client.post(inbox["url"], data=b"[" * 100_000 + b"]" * 100_000)
    page = await stage.page()
    await page.goto(inbox["viewUrl"])
    await expect(page.get_by_role("region", name="Body")).to_be_visible()
    await page.get_by_role("button", name="Clear").click()
    await expect(page.get_by_text("Nothing has arrived yet")).to_be_visible()
    assert stage.problems == []


async def _unharmed(stage: Stage, page: Page) -> None:
    assert await page.evaluate("window.hit") is None
    assert await page.locator("main img, main script, header img, header script").count() == 0
    assert stage.problems == []
