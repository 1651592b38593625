"""The page of an inbox: live, with signatures checked and answers chosen."""

from __future__ import annotations

import re

from playwright.async_api import expect

from .conftest import Stage


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
