"""What an operator does: signs in by a link, sees who is in trouble, finds anything, makes things, and who did what."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect
from receivers import Receiver

from webhook_engine.cli.portal import _link, _own_token

from .conftest import Stage, staged
from .scanning import scanned


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Nothing is retried soon, so that what is pending stays so."""
    async with staged(tmp_path / "engine.db", retry_schedule=["1h"], disable_on_gone=True) as one:
        yield one


async def signed_in(stage: Stage, page: Page, address: str = "") -> Page:
    """The page of an operator who has opened a link."""
    await page.goto(await _link(stage.url, _own_token(stage.engine.config), None, {}))
    await expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    if address:
        await page.goto(f"{stage.url}/portal/{address}")
    return page


async def trouble(stage: Stage, receiver: Receiver) -> tuple[str, str, str]:
    """An endpoint with a message to come, one that is disabled, and the message."""
    receiver.answer(lambda request: 410 if request.path.endswith("gone") else 500)
    await stage.engine.applications.create(name="Globex", uid="globex")
    endpoint = await stage.engine.endpoints.create("acme", url=f"{receiver.url}/in", description="Production")
    gone = await stage.engine.endpoints.create("globex", url=f"{receiver.url}/gone")
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id="inv-7")
    await stage.engine.messages.create("globex", event_type="invoice.paid", payload={})
    await stage.engine.join(10)
    return endpoint.id, gone.id, message.id


async def test_the_overview_shows_who_is_in_trouble_and_leads_there(stage: Stage, receiver: Receiver) -> None:
    endpoint, gone, _ = await trouble(stage, receiver)
    page = await signed_in(stage, await stage.page())
    failing, backlog, disabled = (
        page.get_by_role("region", name=name) for name in ("Failing endpoints", "Backlogs", "Disabled endpoints")
    )
    await expect(failing.get_by_role("link")).to_have_attribute("href", f"#/applications/acme/endpoints/{endpoint}")
    await expect(backlog.get_by_text("1 pending")).to_be_visible()
    await expect(disabled.get_by_text("Globex")).to_be_visible()
    await disabled.get_by_role("link").click()
    await expect(page.get_by_text("This endpoint is disabled")).to_be_visible()
    await expect(page).to_have_url(f"{stage.url}/portal/#/applications/globex/endpoints/{gone}")
    await page.get_by_role("link", name="All applications").click()
    await expect(page.get_by_role("heading", name="Applications")).to_be_visible()
    assert stage.problems == []


async def test_anything_is_found_and_the_search_is_in_the_address(stage: Stage, receiver: Receiver) -> None:
    endpoint, _, message = await trouble(stage, receiver)
    page = await signed_in(stage, await stage.page())
    box = page.get_by_role("searchbox", name="Find anything")
    results = page.get_by_role("list", name="Found")
    for text, address in (
        ("inv-7", f"messages/{message}"),
        (message, f"messages/{message}"),
        ("production", f"endpoints/{endpoint}"),
        ("Acme Corp", "endpoints"),
    ):
        await box.fill(text)
        await expect(results.get_by_role("link")).to_have_count(1)
        await expect(results.get_by_role("link")).to_have_attribute(
            "href", f"#/applications/{(await stage.engine.applications.get('acme')).id}/{address}"
        )
    await page.reload()
    await expect(results.get_by_role("link")).to_have_count(1)
    await box.fill("nothing like this")
    await expect(page.get_by_text("Nothing of this id")).to_be_visible()
    await expect(results.get_by_role("link")).to_have_count(0)


async def test_an_operator_makes_an_application_a_link_an_event_type_and_a_message(
    stage: Stage, receiver: Receiver
) -> None:
    page = await signed_in(stage, await stage.page(), "#/event-types")
    await page.get_by_role("button", name="New event type").click()
    form = page.get_by_role("region", name="New event type")
    await form.get_by_label("Name").fill("no such name!")
    await form.get_by_role("button", name="Create event type").click()
    await expect(form.locator(".problem:visible")).to_have_count(1)
    await form.get_by_label("Name").fill("order.shipped")
    await form.get_by_label("Description").fill("An order is on its way")
    await form.get_by_label("Example").fill('{"order": 5}')
    await form.get_by_role("button", name="Create event type").click()
    await expect(page.get_by_role("listitem").filter(has_text="order.shipped")).to_be_visible()

    await page.get_by_role("link", name="Applications", exact=True).click()
    await page.get_by_role("button", name="New application").click()
    form = page.get_by_role("region", name="New application")
    await form.get_by_label("Name").fill("Initech")
    await form.get_by_label("uid").fill("acme")
    await form.get_by_role("button", name="Create application").click()
    await expect(form.locator(".problem:visible")).to_have_count(1)
    await form.get_by_label("uid").fill("initech")
    await form.get_by_role("button", name="Create application").click()
    await expect(page.get_by_role("heading", name="Manage")).to_be_visible()
    await expect(page.get_by_role("banner")).to_contain_text("Initech")

    await stage.engine.endpoints.create("initech", url=receiver.url)
    await page.get_by_label("Event type").fill("order.shipped")
    await page.get_by_label("Event type").press("Tab")
    await expect(page.get_by_label("Payload")).to_have_value('{\n  "order": 5\n}')
    await page.get_by_role("button", name="Send message").click()
    await receiver.wait_for(1)
    assert json.loads(receiver.requests[0].body) == {"order": 5}
    await page.get_by_label("Payload").fill("{")
    await page.get_by_role("button", name="Send message").click()
    await expect(page.get_by_text("This is not JSON")).to_be_visible()

    await page.get_by_label("May look, and change nothing").check()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_role("region", name="Link to the portal").inner_text()
    customer = await stage.page()
    await customer.goto(link.strip())
    await expect(customer.get_by_role("heading", name="Endpoints")).to_be_visible()
    await expect(customer.get_by_role("button", name="Add endpoint")).to_have_count(0)
    await expect(customer.get_by_role("link", name="Manage")).to_have_count(0)


async def test_the_audit_log_tells_who_did_what_and_is_written_as_files(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    consumer = await stage.portal()
    await consumer.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await consumer.get_by_label("Description").fill("Changed by the customer")
    await consumer.get_by_role("button", name="Save changes").click()
    await expect(consumer.get_by_text("Saved").first).to_be_visible()
    page = await signed_in(stage, await stage.page(), "#/audit?action=endpoint.patch")
    row = page.get_by_role("listitem")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text(endpoint.id)
    await expect(row).to_contain_text((await stage.engine.applications.get("acme")).id)
    await page.get_by_label("Action").fill("")
    await expect(row).not_to_have_count(1)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download CSV").click()
    table = list(csv.reader(io.StringIO(Path(await (await downloading.value).path()).read_text())))
    assert "action" in table[0]
    assert any("endpoint.patch" in line for line in table)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download JSON lines").click()
    lines = Path(await (await downloading.value).path()).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [line[0] for line in table[1:]]
    await page.get_by_label("Application").fill("nobody")
    await expect(page.get_by_text("No changes")).to_be_visible()
    await expect(page).to_have_url(f"{stage.url}/portal/#/audit?application=nobody")


async def test_the_operators_pages_pass_axe_and_the_keyboard_is_enough(stage: Stage, receiver: Receiver) -> None:
    await trouble(stage, receiver)
    page = await signed_in(stage, await stage.page(bypass_csp=True, reduced_motion="reduce"))
    for name in ("overview?q=acme", "applications", "event-types", "audit", "applications/acme/manage"):
        await page.goto("about:blank")
        await page.goto(f"{stage.url}/portal/#/{name}")
        await expect(page.locator("main h1")).to_be_visible()
        await expect(page.locator(".loading:visible")).to_have_count(0)
        for adding in ("New application", "New event type"):
            for button in await page.get_by_role("button", name=adding).all():
                await button.click()
        await scanned(page, f"operator-{name.partition('?')[0].replace('/', '-')}")
    await page.set_viewport_size({"width": 1280, "height": 860})
    await page.goto(f"{stage.url}/portal/#/overview")
    await page.get_by_role("link", name="Audit log").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    await expect(page.get_by_role("link", name="Audit log")).to_be_focused()
    await expect(page.get_by_role("link", name="Audit log")).to_have_attribute("aria-current", "page")
    assert stage.problems == []
