"""The form of an endpoint: many event types, URLs that lead nowhere, and a secret that is exchanged."""

from __future__ import annotations

import socket
from pathlib import Path

from names import Names
from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage, staged
from .scanning import scanned

TYPES = [f"order.{what}" for what in ("cancelled", "created", "refunded", "shipped")] + [
    f"customer.{what}" for what in ("created", "deleted", "merged", "updated")
]


async def test_many_event_types_come_in_groups_with_the_chosen_ones_first(stage: Stage, receiver: Receiver) -> None:
    for name in TYPES:
        await stage.engine.event_types.create(name=name, description=f"What {name} is about")
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, event_types=["order.shipped"])
    page = await stage.page(bypass_csp=True)
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint.id}?tab=settings")
    chosen = page.get_by_role("checkbox", name="order.shipped")
    await expect(chosen).to_be_visible()
    first = page.get_by_role("checkbox").first
    await expect(first).to_have_accessible_name("order.shipped")
    other = page.get_by_role("checkbox", name="order.created")
    await expect(other).to_be_hidden()
    # What is searched for shows, whichever group it is in.
    await page.get_by_label("Find event types").fill("merged")
    await expect(page.get_by_role("checkbox", name="customer.merged")).to_be_visible()
    await page.get_by_label("Find event types").fill("")
    # By keyboard alone: open a group, and choose all of it.
    await page.locator("summary", has_text="order.").focus()
    await page.keyboard.press("Enter")
    await expect(other).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("checkbox", name="order.*", exact=True)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Choose all of order")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(other).to_be_checked()
    await expect(page.get_by_text("4 chosen")).to_be_visible()
    await expect(page.locator("summary", has_text="order.")).to_contain_text("3 of 3")
    await scanned(page, "groups")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies")).to_be_visible()
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert set(now.event_types or ()) == {name for name in TYPES if name.startswith("order.")}
    # Now they are all at the top.
    await expect(page.get_by_role("checkbox", name="order.created")).to_be_visible()
    assert stage.problems == []


async def test_a_name_that_leads_nowhere_is_warned_of_before_it_is_saved(tmp_path: Path, names: Names) -> None:
    names.table = {
        "typo.example.com": socket.gaierror(socket.EAI_NONAME, "no such name"),
        "inside.example.com": ["10.0.0.1"],
        "good.example.com": ["93.184.215.14"],
    }
    async with staged(tmp_path / "engine.db", allow_subnets=[]) as stage:
        page = await stage.portal()
        await page.get_by_role("button", name="Add endpoint").click()
        url = page.get_by_label("Endpoint URL")
        await url.fill("https://typo.example.com/hook")
        await url.blur()
        await expect(page.get_by_text("There is no server of this name")).to_be_visible()
        await url.fill("https://inside.example.com/hook")
        await url.blur()
        await expect(page.get_by_text("This address is in a private network")).to_be_visible()
        await url.fill("https://good.example.com/hook")
        await url.blur()
        await expect(page.locator(".warned")).to_be_empty()
        # Whoever goes on at once is warned all the same, and may pass it over.
        await url.fill("https://typo.example.com/hook")
        await url.press("Enter")
        await expect(page.get_by_text("There is no server of this name")).to_be_visible()
        await page.get_by_role("button", name="Create endpoint").click()
        await expect(page.get_by_role("tab", name="Overview")).to_be_visible()
        assert stage.problems == []


async def test_both_keys_show_while_a_secret_is_exchanged(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    before = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    page = await stage.page(bypass_csp=True)
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint.id}")
    await page.get_by_role("button", name="Rotate signing secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    await expect(page.get_by_text("The one before still signs too, and ends in 23 hr.")).to_be_visible()
    after = await stage.engine.endpoints.get_secret("acme", endpoint.id)
    await expect(page.get_by_text(after)).to_be_visible()
    await expect(page.get_by_text(before)).to_be_visible()
    await scanned(page, "rotation", full_page=False)
    # Hidden again after a reload, yet told of.
    await page.reload()
    await expect(page.get_by_text("The one before still signs too")).to_be_visible()
    await expect(page.get_by_text(before)).to_have_count(0)
    assert stage.problems == []


async def test_a_group_is_chosen_with_what_is_to_come(stage: Stage, receiver: Receiver) -> None:
    for name in TYPES:
        await stage.engine.event_types.create(name=name, description="")
    endpoint = await stage.engine.endpoints.create(
        "acme", url=receiver.url, event_types=["order.shipped", "customer.*"]
    )
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    customers = page.get_by_role("checkbox", name="customer.*", exact=True)
    await expect(customers).to_be_checked()
    # What a wildcard stands for is chosen with it.
    one = page.get_by_role("checkbox", name="customer.merged")
    await expect(one).to_be_checked()
    await expect(one).to_be_disabled()
    await page.locator("summary", has_text="order.").click()
    await page.get_by_role("checkbox", name="order.*", exact=True).check()
    await expect(page.get_by_role("checkbox", name="order.shipped")).to_be_disabled()
    await customers.uncheck()
    await expect(one).to_be_enabled()
    await one.check()
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies")).to_be_visible()
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert set(now.event_types or ()) == {"order.*", "customer.merged"}
    assert stage.problems == []


async def test_authentication_is_saved_and_tried(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.page(bypass_csp=True)
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint.id}?tab=settings")
    await page.get_by_label("Authentication", exact=True).select_option("User and password (Basic)")
    await page.get_by_label("User name").fill("me")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("This is needed.")).to_be_visible()
    await page.get_by_label("Password", exact=True).fill("hush")
    await scanned(page, "authentication")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_text("Saved; it applies")).to_be_visible()
    await expect(page.get_by_label("Password", exact=True)).not_to_have_value("hush")
    # The mask that is shown stands for what is kept: what else is saved does not change it.
    await page.get_by_label("Description").fill("Large invoices")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_role("heading", name=receiver.url)).to_be_visible()
    await page.get_by_role("button", name="Try authentication").click()
    [request] = await receiver.wait_for(1)
    assert request.headers["authorization"] == "Basic bWU6aHVzaA=="
    assert stage.problems == []
