"""A consumer's own script, and authentication, in the tab Settings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage, staged


@pytest.mark.skipif(importlib.util.find_spec("quickjs") is None, reason="the extra is not installed")
async def test_a_script_is_tried_saved_and_used(tmp_path: Path, receiver: Receiver) -> None:
    async with staged(tmp_path / "e.db", transformations__scripts=True) as stage:
        endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
        page = await stage.portal()
        await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
        said = "console.log('<b>seen</b>'); webhook.payload = {said: webhook.eventType}; return webhook"
        code = f"function handler(webhook) {{ {said} }}"
        await page.get_by_label("Script", exact=True).fill(code)
        await page.get_by_role("button", name="Try the script").click()
        await expect(page.get_by_role("region", name="What would be sent")).to_contain_text('{"said":"invoice.paid"}')
        await expect(page.get_by_role("region", name="Console")).to_contain_text("<b>seen</b>")
        await page.get_by_label("Use this script").check()
        await page.get_by_role("button", name="Save script").click()
        await expect(page.get_by_text("The script is saved")).to_be_visible()
        await stage.engine.messages.create("acme", event_type="invoice.paid", payload={"n": 1})
        await stage.engine.join(10)
        assert receiver.bodies == [b'{"said":"invoice.paid"}']
        code = "function handler(webhook) { throw Error('no such customer') }"
        await page.get_by_label("Script", exact=True).fill(code)
        await page.get_by_role("button", name="Try the script").click()
        await expect(page.get_by_text("no such customer")).to_be_visible()
        assert stage.problems == []


async def test_authentication_is_tried_by_a_button(stage: Stage, receiver: Receiver) -> None:
    authentication = {"type": "bearer", "token": "s3cret"}
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url, authentication=authentication)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=settings")
    await expect(page.get_by_text("Custom headers")).to_be_visible()
    assert await page.get_by_label("Script", exact=True).count() == 0, "the operator does not allow scripts"
    await page.get_by_role("button", name="Try authentication").click()
    await expect(page.get_by_text("An example is on its way")).to_be_visible()
    [request] = await receiver.wait_for(1)
    assert request.headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in await page.content()
