"""The tab Testing: a payload of one's own, kept for later, to one endpoint or to all that would get it."""

from __future__ import annotations

from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage
from .scanning import scanned

EXACT = '{"id": 12345678901234567890, "text": "\\u00e9"}'


async def test_an_example_is_edited_kept_and_sent_again(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.page(bypass_csp=True)
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint.id}?tab=testing")
    await page.get_by_role("button", name="Edit payload").click()
    payload = page.get_by_label("Payload")
    await expect(payload).to_be_focused()
    assert "inv_1042" in await payload.input_value()
    await payload.fill('{"a": 1,\n"b": }')
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("This is not JSON: look at line 2.")).to_be_visible()
    await payload.fill("[1]")
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("The payload must be a JSON object, in braces.")).to_be_visible()
    await expect(payload).to_be_focused()
    await payload.fill(EXACT)
    await page.get_by_text("Keep this example for later").click()
    await page.get_by_label("Name of the example").fill("Large number")
    await page.get_by_role("button", name="Keep", exact=True).click()
    await expect(page.get_by_label("Which example")).to_have_value("Large number")
    await page.get_by_role("button", name="Send example").click()
    await expect(page.get_by_text("Succeeded")).to_be_visible()
    [request] = await receiver.wait_for(1)
    assert request.body.decode() == EXACT
    await scanned(page, "own-example")
    await page.reload()
    await page.get_by_label("Which example").select_option("Large number")
    await expect(page.get_by_label("Payload")).to_have_value(EXACT)
    await page.get_by_role("button", name="Forget this example").click()
    await expect(page.get_by_label("Which example")).to_have_count(0)
    await expect(page.get_by_text("inv_1042")).to_be_visible()
    assert stage.problems == []


async def test_an_example_goes_to_all_endpoints_that_would_get_it(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(lambda request: 500 if request.path.endswith("/sick") else 200)
    one = await stage.engine.endpoints.create("acme", url=receiver.url, event_types=["invoice.paid"])
    await stage.engine.endpoints.create("acme", url=f"{receiver.url}/sick")
    await stage.engine.endpoints.create("acme", url=f"{receiver.url}/deaf", event_types=["user.created"])
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{one.id}?tab=testing")
    await page.get_by_label("Send to").select_option("All endpoints that would get it")
    await page.get_by_role("button", name="Send example").click()
    results = page.get_by_role("region", name="What was sent")
    await expect(results.get_by_role("link", name=f"{receiver.url}/sick")).to_be_visible()
    await expect(results.locator("li.item", has_text="/sick")).to_contain_text("Failed")
    await expect(results.locator("li.item").filter(has_not_text="/sick")).to_contain_text("Succeeded")
    await expect(results.locator("li.item")).to_have_count(2)
    assert stage.problems == []


async def test_where_a_text_stops_being_json_is_found(stage: Stage) -> None:
    page = await stage.portal()
    texts = {
        '{"a": [1, {"b": null}], "c": "\\u00e9\\n"}': None,
        "[]": None,
        '{"a": 1,\n"b": }': 2,
        '{"a": 1,\n}': 2,
        "[1,\n\n2 3]": 3,
        '{"a": 01}': 1,
        '{"a": "\n"}': 1,
        '{"a": 1': 1,
        '{"a": 1}\n\n{': 3,
        "": 1,
        "{'a': 1}": 1,
        "[1}": 1,
    }
    found = await page.evaluate(
        """async (texts) => {
          const { lineOfMistake } = await import("./static/mistake.js");
          return texts.map((text) => lineOfMistake(text) ?? null);
        }""",
        list(texts),
    )
    assert dict(zip(texts, found, strict=True)) == texts
