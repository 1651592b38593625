"""The page of an inbox: live, with signatures checked and answers chosen."""

from __future__ import annotations

import asyncio
import re

import aiohttp
from playwright.async_api import expect

from .conftest import Stage
from .scanning import bring_scanner, clean, scanned


async def test_from_use_play_to_a_verified_signature(stage: Stage) -> None:
    page = await stage.portal()
    await page.get_by_role("button", name="Add endpoint").click()
    await page.get_by_role("button", name="Use Play").click()
    address = re.compile(re.escape(stage.url) + r"/play/in/[\w-]+/")
    await expect(page.get_by_label("Endpoint URL")).to_have_value(address)
    await expect(page.get_by_role("link", name="watch what arrives")).to_be_visible()
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="watch what arrives").click()
    play = await opened.value
    await expect(play.get_by_text("Nothing has arrived yet")).to_be_visible()
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(page.get_by_role("link", name="Watch what arrives")).to_have_attribute("href", play.url)
    await page.get_by_role("tab", name="Testing").click()
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("Succeeded")).to_be_visible()

    await expect(play.get_by_role("region", name="Body")).to_contain_text("inv_1042")
    await expect(play.get_by_role("cell", name="application/json")).to_be_visible()
    [endpoint] = (await stage.engine.endpoints.list("acme")).data
    secret = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    await play.get_by_label("Signing secret").fill("whsec_" + "B" * 32)
    await play.get_by_role("button", name="Verify signatures").click()
    await expect(play.get_by_role("heading", name="The signature does not verify")).to_be_visible()
    await play.get_by_label("Signing secret").fill(secret)
    await play.get_by_role("button", name="Verify signatures").click()
    await expect(play.get_by_role("heading", name="The signature verifies")).to_be_visible()

    await play.get_by_label("Status").select_option("500 Internal Server Error")
    await expect(play.get_by_text("Play now answers 500")).to_be_visible()
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("Failed")).to_be_visible()
    await expect(play.get_by_text("2 requests")).to_be_visible()
    assert stage.problems == []


async def test_an_inbox_that_is_gone_offers_a_new_one(stage: Stage) -> None:
    page = await stage.page()
    await page.goto(f"{stage.url}/play/view/{'x' * 24}")
    await expect(page.get_by_role("heading", name="This inbox has expired")).to_be_visible()
    await page.get_by_role("link", name="Create a new inbox").click()
    await page.get_by_role("button", name="Create an inbox").click()
    await expect(page.get_by_role("heading", name="Temporary inbox")).to_be_visible()


async def test_two_people_choose_how_an_inbox_answers(stage: Stage) -> None:
    one, other = await stage.page(), await stage.page()
    await one.goto(f"{stage.url}/play/")
    await one.get_by_role("button", name="Create an inbox").click()
    await expect(one.get_by_role("heading", name="Temporary inbox")).to_be_visible()
    await other.goto(one.url)
    await expect(other.get_by_role("heading", name="Temporary inbox")).to_be_visible()
    await one.get_by_label("Status").select_option("503 Service Unavailable")
    await expect(one.get_by_text("Play now answers 503")).to_be_visible()
    await other.get_by_label("Delay").select_option("1 second")
    await expect(other.get_by_text("Play now answers 503")).to_be_visible()


async def test_an_inbox_fails_twice_and_then_answers_with_what_was_typed(stage: Stage) -> None:
    page = await stage.page(bypass_csp=True)
    await page.goto(f"{stage.url}/play/")
    await page.get_by_role("button", name="Create an inbox").click()
    # By keyboard alone.
    further = page.get_by_text("Headers, body and failures")
    await further.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Response code").fill("299")
    await page.get_by_label("Fail first, so many times").fill("1")
    await page.get_by_label("Answering meanwhile").fill("429")
    await page.get_by_label("Answer headers").fill("Retry-After: 3\nSet-Cookie: a=b")
    await page.get_by_label("Answer body").fill('{"mine": true}')
    await page.get_by_label("Response code").press("Enter")
    await expect(page.get_by_text("This is not a header that Play can send: Set-Cookie: a=b")).to_be_visible()
    await expect(page.get_by_label("Answer headers")).to_be_focused()
    await bring_scanner(page)
    await clean(page, "answer refused")
    await page.get_by_label("Answer headers").fill("Retry-After: 3\nContent-Type: application/json")
    await page.get_by_label("Response code").press("Enter")
    await expect(page.get_by_text("Play now answers 299")).to_be_visible()
    await expect(page.get_by_text("1 request is answered with 429 first.")).to_be_visible()
    address = await page.locator(".secret code").first.inner_text()
    async with aiohttp.ClientSession() as client:
        async with client.post(address, json={"n": "first"}) as answer:
            assert answer.status == 429
        await expect(page.get_by_text("1 request is answered with 429 first.")).to_be_hidden()
        async with client.post(address, json={"n": "second"}, headers={"X-Note": "it's mine"}) as answer:
            assert (answer.status, answer.content_type, await answer.json()) == (
                299,
                "application/json",
                {"mine": True},
            )
        await expect(page.get_by_text("2 requests")).to_be_visible()

        await page.get_by_label("Search requests").fill("FIRST")
        await expect(page.locator("button.pick")).to_have_count(1)
        await expect(page.get_by_role("region", name="Body")).to_contain_text("first")
        await page.get_by_label("Search requests").fill("nowhere")
        await expect(page.get_by_text("No request fits")).to_be_visible()
        await page.get_by_label("Search requests").fill("")
        await page.locator("button.pick").first.click()
        await expect(page.get_by_role("region", name="Body")).to_contain_text("second")
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.get_by_role("button", name="Copy as curl").click()
        command = await page.evaluate("navigator.clipboard.readText()")
        again = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=asyncio.subprocess.PIPE)
        out, _ = await again.communicate()
        assert out.decode().startswith("HTTP/1.1 299")
        await expect(page.get_by_text("3 requests")).to_be_visible()
        async with client.get(address.replace("/in/", "/inbox/").rstrip("/")) as answer:
            newest = (await answer.json())["requests"][-1]
        assert newest["body"] == '{"n": "second"}'
        assert ["X-Note", "it's mine"] in newest["headers"]

    await page.get_by_role("button", name="Share a view").click()
    link = await page.locator(".secret code").nth(1).inner_text()
    viewer = await stage.page(bypass_csp=True)
    await viewer.goto(link)
    await expect(viewer.get_by_text("3 requests")).to_be_visible()
    await expect(viewer.get_by_role("region", name="Body")).to_contain_text("second")
    for name in ("Clear", "Save response", "Verify signatures", "Stop sharing"):
        await expect(viewer.get_by_role("button", name=name)).to_have_count(0)
    token = address.rstrip("/").rpartition("/")[2]
    assert token not in await viewer.content()
    for one, what in ((page, "play-answer"), (viewer, "play-shared")):
        await scanned(one, what)
    await page.get_by_role("button", name="Stop sharing").click()
    await expect(viewer.get_by_role("heading", name="This inbox has expired")).to_be_visible()
    assert [said for said in stage.problems if "404" not in said] == []
