"""What the pages say is so, in the words of those who read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from names import Names
from playwright.async_api import Page, expect
from receivers import Receiver

from .conftest import Stage, staged

TURNED = "abc\u202egnp.exe\u2066x"


async def test_a_message_to_many_endpoints_shows_the_attempts_of_each(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "engine.db", retry_schedule=[]) as stage:
        for place in range(301):
            await stage.engine.endpoints.create("acme", url=f"{receiver.url}/{place}")
        message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
        await stage.engine.join(60)
        page = await stage.portal()
        await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
        deliveries = page.get_by_role("region", name="Deliveries")
        await expect(deliveries.get_by_text("Succeeded")).to_have_count(301)
        await expect(deliveries.locator("details.attempt")).to_have_count(301, timeout=30_000)
        await expect(page.get_by_text("Not attempted yet")).to_have_count(0)


async def test_what_waits_for_a_rate_limit_says_so(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url, throttle_rate=1)
    for number in range(60):
        message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": number})
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text("Waiting for the rate limit")).to_be_visible()
    await expect(page.get_by_text("Next attempt")).to_have_count(0)


async def test_a_private_url_is_warned_of_and_shown_as_blocked(tmp_path: Path, names: Names) -> None:
    names.table["example.com"] = ["93.184.215.14"]
    async with staged(tmp_path / "engine.db", allow_subnets=[]) as stage:
        page = await stage.portal()
        await page.get_by_role("button", name="Add endpoint").click()
        await page.get_by_label("Endpoint URL").fill("http://10.0.0.1/hook")
        await expect(page.get_by_text("This address is in a private network")).to_be_visible()
        await page.get_by_label("Endpoint URL").fill("https://example.com/hook")
        await expect(page.get_by_text("This address is in a private network")).to_have_count(0)
        # Whoever is faster than the warning sees it first all the same.
        await page.get_by_label("Endpoint URL").fill("http://192.168.0.1/hook")
        await page.get_by_role("button", name="Create endpoint").click()
        await expect(page.get_by_text("press the button again")).to_be_visible()
        await page.get_by_role("button", name="Create endpoint").click()
        await page.get_by_role("tab", name="Testing").click()
        await page.get_by_role("button", name="Send example").click()
        sent = page.get_by_role("region", name="What was sent")
        await expect(sent.get_by_text("Blocked")).to_be_visible()
        await expect(sent.get_by_text("Nothing was sent: this address is in a private network")).to_be_visible()
        await expect(page.get_by_role("heading", name="Nothing can be sent to this endpoint")).to_be_visible()
        await expect(page.get_by_text("Request headers")).to_have_count(0)
        assert "allow_subnets" not in await page.content()
        await page.get_by_role("link", name="Endpoints", exact=True).click()
        await expect(page.get_by_text("100 % failures")).to_be_visible()
        await expect(page.get_by_text("Blocked", exact=True)).to_be_visible()
        await expect(page.get_by_text("Enabled", exact=True)).to_have_count(0)


async def test_the_payload_is_shown_as_it_was_sent(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    sent = '{"z":1,\n  "a": 1.10, "z": "\\u00e9 é"  }'
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload=sent.encode())
    [request] = await receiver.wait_for(1)
    assert request.body.decode() == sent
    # Signed in before it goes on: a link is good once.
    page = await stage.portal(permissions=["clipboard-read", "clipboard-write"])
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    payload = page.get_by_role("region", name="Payload")
    await expect(payload).to_be_visible()
    assert await payload.evaluate("element => element.textContent") == sent
    for shown in ('"z": 1', None):
        await page.get_by_role("button", name="Formatted").click()
        if shown:
            await expect(payload).to_contain_text(shown)
        await page.get_by_role("button", name="Copy payload").click()
        assert await _clipboard(page) == sent
    assert await payload.evaluate("element => element.textContent") == sent

    words = await stage.engine.messages.create("acme", event_type="invoice.paid", payload=b"no JSON at all")
    await page.goto(f"{stage.url}/portal/#/messages/{words.id}")
    await expect(page.get_by_role("region", name="Payload")).to_have_text("no JSON at all")
    raw = await stage.engine.messages.create("acme", event_type="invoice.paid", payload=b"\xff\x00\xfe")
    await page.goto(f"{stage.url}/portal/#/messages/{raw.id}")
    await expect(page.get_by_role("region", name=re.compile("Payload .base64"))).to_have_text("/wD+")


async def test_no_text_turns_others_around(stage: Stage, receiver: Receiver) -> None:
    engine = stage.engine
    receiver.answer(500)
    await engine.applications.update("acme", name=TURNED)
    await engine.event_types.update("invoice.paid", description=TURNED)
    endpoint = await engine.endpoints.create("acme", url=receiver.url, description=TURNED, event_types=["invoice.paid"])
    message = await engine.messages.create("acme", event_type="invoice.paid", payload={"file": TURNED})
    page = await stage.page(permissions=["clipboard-read", "clipboard-write"])
    await page.goto(await engine.portal.url("acme"))
    await expect(page.get_by_role("banner")).to_contain_text("abc[U+202E]gnp.exe[U+2066]x")
    for address in ("endpoints", f"endpoints/{endpoint.id}", f"messages/{message.id}", "catalogue"):
        await page.goto(f"{stage.url}/portal/#/{address}")
        await expect(page.get_by_role("main")).to_contain_text("[U+202E]")
        assert "\u202e" not in await page.content()
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text("turn text around")).to_be_visible()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await expect(page.get_by_text("turn it around: abc[U+202E]gnp")).to_be_visible()
    await expect(page.get_by_label("Description")).to_have_value(TURNED)
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await page.get_by_role("button", name="Copy payload").click()
    assert "\u202e" in await _clipboard(page)


async def test_refusals_are_in_the_words_of_the_reader(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await page.get_by_label("Channels").fill("not allowed!")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("A channel has letters, digits")).to_be_visible()
    await expect(page.get_by_label("Channels")).to_be_focused()
    await page.get_by_label("Channels").fill("")
    await page.get_by_label("Header name").fill("webhook-id")
    await page.get_by_role("button", name="Add header").click()
    await expect(page.get_by_text("This header cannot be sent")).to_be_visible()
    await page.get_by_label("Header name").fill("")
    await page.get_by_role("tab", name="Overview").click()
    for since, words in (("2100-01-01T00:00", "in the past"), ("2020-01-01T00:00", "at most 14 days old")):
        await page.get_by_label("Since").fill(since)
        await page.get_by_role("button", name="Recover failed messages").click()
        await expect(page.get_by_text(words)).to_be_visible()
    await expect(page.get_by_role("main").get_by_text("until", exact=True)).to_have_count(0)
    for told in ("pattern", "recover_max_age", "Validation", "body"):
        await expect(page.get_by_role("main").get_by_text(told)).to_have_count(0)


async def test_a_password_that_is_kept_is_typed_again_for_another_server(stage: Stage, names: Names) -> None:
    names.table["example.com"] = names.table["example.org"] = ["93.184.215.14"]
    endpoint = await stage.engine.endpoints.create("acme", url="https://user:hush@example.com/a")
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    url = page.get_by_label("Endpoint URL")
    await expect(url).to_have_value("https://user:*****@example.com/a")
    await url.fill("https://user:*****@example.com/b")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies from the next attempt")).to_be_visible()
    await url.fill("https://user:*****@example.org/b")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Type the password in this URL again")).to_be_visible()
    assert (await stage.engine.endpoints.get("acme", endpoint.id)).url == "https://user:*****@example.com/b"


async def test_http_is_refused_in_plain_words(tmp_path: Path) -> None:
    async with staged(tmp_path / "engine.db", https_only=True) as stage:
        page = await stage.portal()
        await page.get_by_role("button", name="Add endpoint").click()
        await page.get_by_label("Endpoint URL").fill("http://example.com/hook")
        await page.get_by_role("button", name="Create endpoint").click()
        await expect(page.get_by_text("The URL must begin with https://.")).to_be_visible()
        await expect(page.get_by_text("https_only")).to_have_count(0)


async def test_advice_and_code_follow_the_configuration(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "engine.db", timeout="2.5s", signature_headers=["svix"]) as stage:
        endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await stage.portal()
        await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=verify")
        await expect(page.get_by_text("longer than 2.5 seconds")).to_be_visible()
        await expect(page.get_by_role("region", name="Python")).to_contain_text('headers["svix-signature"]')
        assert "webhook-" not in await page.get_by_role("region", name="Python").inner_text()


async def test_a_reader_is_not_told_to_press_what_is_not_there(stage: Stage, receiver: Receiver) -> None:
    page = await stage.portal(read_only=True)
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()
    await expect(page.get_by_text("Add an endpoint")).to_have_count(0)
    receiver.answer(410)
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    await stage.engine.join(10)
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(page.get_by_role("heading", name="This endpoint is disabled")).to_be_visible()
    await expect(page.get_by_text("410 Gone")).to_be_visible()
    for words in ("What to do", "enable the endpoint"):
        await expect(page.get_by_text(words)).to_have_count(0)
    await page.get_by_role("tab", name="Testing").click()
    await expect(page.get_by_role("region", name="Example")).to_be_visible()
    await expect(page.get_by_text("send its example")).to_have_count(0)
    await expect(page.get_by_role("button", name="Send example")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390])
async def test_the_documentation_of_the_api_fits_a_phone(stage: Stage, width: int) -> None:
    page = await stage.page(viewport={"width": width, "height": 800})
    await page.goto(f"{stage.url}/docs")
    await expect(page.locator("details").first).to_be_visible()
    for details in await page.locator("details").all():
        await details.evaluate("element => { element.open = true; }")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = """() => [...document.querySelectorAll("summary *, td, th, p, h2, h3")]
        .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest(".wide"))
        .map((each) => each.textContent.slice(0, 40))"""
    assert await page.evaluate(cut) == []


async def _clipboard(page: Page) -> str:
    return str(await page.evaluate("navigator.clipboard.readText()"))
