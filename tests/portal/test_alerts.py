"""A consumer chooses who is told, tries it, and takes it back."""

from __future__ import annotations

from importlib.resources import files

from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage


async def test_an_alert_is_made_tried_and_deleted(stage: Stage, receiver: Receiver) -> None:
    await stage.engine.applications.get_or_create(name="Acme", uid="acme")
    page = await stage.portal(bypass_csp=True)
    await page.get_by_role("link", name="Alerts").click()
    await expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible()
    await expect(page.get_by_text("No alerts")).to_be_visible()
    form = page.get_by_role("region", name="New alert")
    await form.get_by_role("button", name="Add alert").click()
    await expect(form.get_by_text("Say who is to be told.")).to_be_visible()
    await form.get_by_label("To").fill("nobody@example.com")
    await form.get_by_role("button", name="Add alert").click()
    await expect(form.get_by_text("e-mail is not set up here")).to_be_visible()
    await form.get_by_label("How").select_option("webhook")
    await form.get_by_label("To").fill(receiver.url)
    await form.get_by_role("button", name="Add alert").click()
    await expect(page.get_by_text(receiver.url, exact=True)).to_be_visible()
    await page.get_by_role("button", name=f"Send a test to {receiver.url}").click()
    [request] = await receiver.wait_for(1)
    assert b'"alert.test"' in request.body
    await page.add_script_tag(content=(files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    assert await page.evaluate("() => axe.run().then(({ violations }) => violations.map(({ id }) => id))") == []
    await page.get_by_role("button", name=f"Delete the alert to {receiver.url}").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No alerts")).to_be_visible()
    assert [each for each in stage.problems if "422" not in each] == []
