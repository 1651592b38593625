"""Finding messages, sending many again, and the address that says it all."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from receivers import Receiver, refusing

from webhook_engine.resources import pagination

from .conftest import Stage, staged


def rows(page: Page) -> Locator:
    """The messages that are listed."""
    return page.get_by_role("region", name="List of messages").get_by_role("listitem")


async def test_messages_are_found_by_whatever_is_known_of_them(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(lambda request: 200 if b"good" in request.body else 404)
    one = await stage.engine.endpoints.create("acme", url=f"{receiver.url}/one", channels=["one"], uid="first")
    async with refusing() as refused:
        await stage.engine.endpoints.create("acme", url=refused, channels=["two"])
        words = (
            ("Ada Byron", "one", "good"),
            ("Grace", "one", "bad"),
            ("Alan", "two", "good"),
            ("Edsger", "none", "x"),
        )
        ids = [
            (await stage.engine.messages.create(
                "acme", event_type="invoice.paid", payload={"name": name, "is": how}, channels=[channel],
                event_id=f"evt-{name[:2]}",
            )).id
            for name, channel, how in words
        ]  # fmt: skip
        await stage.engine.join(10)
    page = await stage.portal()
    await page.get_by_role("link", name="Messages").click()
    await expect(rows(page)).to_have_count(4)
    box = page.get_by_role("searchbox", name="Search messages")
    for text, found in (
        ("ada byron", ids[:1]),
        (ids[1], ids[1:2]),
        ("evt-Al", ids[2:3]),
        (f"{receiver.url}/one", ids[1::-1]),
        ("first", ids[1::-1]),
        (one.id, ids[1::-1]),
        ("nowhere", []),
    ):
        await box.fill(text)
        await expect(rows(page)).to_have_count(len(found))
        for place, identifier in enumerate(found):
            await expect(rows(page).nth(place)).to_contain_text(identifier)
    await expect(page.get_by_text("No message fits these filters.")).to_be_visible()
    await box.fill("")
    for label, choice, found in (
        ("State", "Succeeded", ids[:1]),
        ("State", "Failed", ids[2:0:-1]),
        ("Answer", "4xx", ids[1:2]),
        ("Answer", "No connection", ids[2:3]),
        ("Endpoint", f"{receiver.url}/one", ids[1::-1]),
    ):
        await page.get_by_label(label, exact=True).select_option(choice)
        await expect(rows(page)).to_have_count(len(found))
        await expect(rows(page).first).to_contain_text(found[0])
        await page.get_by_role("button", name="Clear filters").click()
        await expect(rows(page)).to_have_count(4)
    assert stage.problems == []


async def test_a_search_is_in_the_address_and_can_be_passed_on(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(lambda request: 500 if b"bad" in request.body else 200)
    await stage.engine.endpoints.create("acme", url=receiver.url)
    for number in range(30):
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"bad": number})
    await stage.engine.messages.create("acme", event_type="user.created", payload={"bad": "words"})
    await stage.engine.join(10)
    page = await stage.portal()
    await page.get_by_role("link", name="Messages").click()
    await page.get_by_label("Event type").select_option("invoice.paid")
    await page.get_by_label("State").select_option("Failed")
    await page.get_by_label("Answer").select_option("5xx")
    await page.get_by_role("searchbox", name="Search messages").fill('"bad"')
    await page.get_by_role("button", name="Older").click()
    await expect(rows(page)).to_have_count(5)
    link = page.url
    colleague = await stage.portal()
    await colleague.goto(link)
    await expect(colleague.get_by_role("searchbox", name="Search messages")).to_have_value('"bad"')
    await expect(colleague.get_by_label("State")).to_have_value("2")
    await expect(colleague.get_by_label("Event type")).to_have_value("invoice.paid")
    await expect(colleague.get_by_label("Answer")).to_have_value("5xx")
    await expect(rows(colleague)).to_have_count(5)

    await colleague.goto(f"{stage.url}/portal/#/messages?since=2001-01-01T10:00:00Z&until=2001-01-01T11:00:00Z")
    await expect(colleague.get_by_text("No message fits these filters.")).to_be_visible()
    await colleague.get_by_role("button", name="Any time").click()
    await expect(rows(colleague)).to_have_count(25)


async def test_what_is_rare_among_much_that_waits_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is read as two lists, of which each page may be short and not the last."""
    endpoint = await stage.engine.endpoints.create("acme", url="https://example.com")
    later = datetime.now(UTC) + timedelta(hours=1)
    for number in range(12):
        event_type = "invoice.paid" if number % 6 else "user.created"
        await stage.engine.messages.create("acme", event_type=event_type, payload={"n": number}, deliver_at=later)
    monkeypatch.setattr(pagination, "LOOKED_AT", 3)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(rows(page)).to_have_count(12)
    await page.get_by_label("State").select_option("1")
    await expect(rows(page)).to_have_count(12)
    await page.get_by_label("Event type").select_option("user.created")
    await expect(rows(page)).to_have_count(2)
    assert stage.problems == []


async def test_selected_messages_are_sent_again_to_where_they_failed(tmp_path: Path, receiver: Receiver) -> None:
    async with Receiver(500) as bad, staged(tmp_path / "engine.db", retry_schedule=[]) as stage:
        await stage.engine.endpoints.create("acme", url=receiver.url)
        await stage.engine.endpoints.create("acme", url=bad.url)
        for number in range(3):
            await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": number})
        await stage.engine.join(10)
        page = await stage.portal()
        await page.get_by_role("link", name="Messages").click()
        await expect(page.get_by_role("button", name="Resend selected")).to_be_hidden()
        await page.get_by_role("checkbox", name="Select all").check()
        await rows(page).nth(1).get_by_role("checkbox").uncheck()
        await expect(page.get_by_text("2 selected")).to_be_visible()
        bad.answer(200)
        await page.get_by_role("button", name="Resend selected").click()
        await expect(page.get_by_text("Done: 2 messages sent again.")).to_be_visible()
        await expect(rows(page).get_by_text("Succeeded")).to_have_count(2)
        assert (len(receiver.requests), len(bad.requests)) == (3, 5)


async def test_sending_many_again_is_paused_and_cancelled(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    for number in range(25):
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": number})
    await stage.engine.join(10)
    page = await stage.portal()
    await page.get_by_role("link", name="Messages").click()
    await page.get_by_role("checkbox", name="Select all").check()
    held = await stage.held(page, "**/resend")
    await page.get_by_role("button", name="Resend selected").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused: 0 of 25 messages.")).to_be_visible()
    await held()
    await expect(page.get_by_text("Paused: 4 of 25 messages.")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Sending again: 25 of 25").or_(page.get_by_text("Done: 25 messages"))).to_be_visible()

    await page.get_by_role("checkbox", name="Select all").check()
    held = await stage.held(page, "**/endpoint/*/resend")
    await page.get_by_role("button", name="Resend selected").click()
    await page.get_by_role("button", name="Cancel").click()
    await held()
    await expect(page.get_by_text("Cancelled after 4 of 25 messages.")).to_be_visible()


async def test_how_many_are_sent_again_is_told_before_and_it_may_be_a_part_of_them(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer(400)
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    for name in ("invoice.paid", "invoice.paid", "user.created"):
        await stage.engine.messages.create("acme", event_type=name, payload={})
    await stage.engine.join(10)
    async with asyncio.timeout(10):
        while (await stage.engine.endpoints.stats("acme", endpoint.id)).fail < 6:
            await asyncio.sleep(0.02)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(page.get_by_text("3 messages of this time did not succeed.")).to_be_visible()
    await page.get_by_text("Only some kinds of events").click()
    await page.get_by_role("checkbox", name="user.created", exact=True).check()
    await expect(page.get_by_text("1 message of this time did not succeed.")).to_be_visible()
    receiver.answer(200)
    await page.get_by_role("button", name="Recover failed messages").click()
    await expect(page.get_by_text("Done: 1 message on the way.")).to_be_visible()
    await page.get_by_label("Until").fill("2001-01-01T00:00")
    await page.get_by_role("button", name="Recover failed messages").click()
    await expect(page.get_by_text("Choose a time after the first one.")).to_be_visible()


async def test_who_may_only_look_is_offered_nothing_to_select(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    page = await stage.portal(read_only=True)
    await page.get_by_role("link", name="Messages").click()
    await expect(rows(page)).to_have_count(1)
    await expect(page.get_by_role("checkbox")).to_have_count(0)


async def test_the_bars_of_a_chart_are_reached_by_arrow_keys_and_lead_to_their_messages(
    stage: Stage, receiver: Receiver
) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    await stage.engine.join(10)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    bars = page.get_by_role("link", name="succeeded")
    await expect(bars.last).to_have_accessible_name(re.compile("1 succeeded, 0 failed"))
    await bars.last.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(bars.nth(-2)).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(1)
    await expect(page.get_by_label("Endpoint", exact=True)).to_have_value(endpoint.id)


async def test_the_statistics_are_told_by_answer_and_duration_and_lead_to_what_was_answered_so(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer(lambda request: 404 if b"bad" in request.body else 200)
    await stage.engine.endpoints.create("acme", url=receiver.url)
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"bad": 1})
    await receiver.wait_for(2)
    page = await stage.portal()
    await page.get_by_role("link", name="Statistics").click()
    await expect(page.get_by_text("Failure rate")).to_be_visible()
    await page.get_by_label("Period").select_option("1 hour")
    await expect(page.locator(".chart-parts a")).to_have_count(60)
    await page.get_by_label("What to show").select_option("Duration")
    await expect(page.locator(".chart-legend")).to_contain_text("95 % of the responses")
    await page.get_by_label("What to show").select_option("Answers")
    last = page.locator(".chart-parts a").last
    await last.focus()
    await expect(last).to_have_accessible_name(re.compile("half within .* 95 % within"))
    await page.get_by_role("link", name=re.compile(r"^4xx \d")).click()
    await expect(rows(page)).to_have_count(1)
    await expect(page.get_by_label("Answer")).to_have_value("4xx")
