"""The tab Verify: code in each language, and why a request that was pasted does not verify."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, expect
from receivers import Receiver, Request

from .conftest import Stage


async def pasted(stage: Stage, receiver: Receiver) -> tuple[Page, Request, str]:
    """The tab Verify of an endpoint, and a request that it received."""
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    await stage.engine.messages.create("acme", event_type="invoice.paid", payload=b'{"id":1, "n":"x"}')
    [request] = await receiver.wait_for(1)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}?tab=verify")
    await expect(page.get_by_label("Headers")).to_be_visible()
    return page, request, "\n".join(f"{name}: {value}" for name, value in request.headers.items())


async def test_a_pasted_request_is_explained(stage: Stage, receiver: Receiver) -> None:
    page, request, headers = await pasted(stage, receiver)
    body = request.body.decode()
    for text, content, said in (
        (headers, body, "This request verifies"),
        (headers, json.dumps(json.loads(body), indent=2), "The body was parsed and written anew"),
        (headers, body + " ", "Blanks or line breaks"),
        (headers, "{}", "The body is not what was sent"),
        ("content-type: application/json", body, "The header webhook-id is missing"),
        (headers.replace(request.headers["webhook-signature"], "v1,xx"), body, "One of the headers is not what was"),
    ):
        await page.get_by_label("Headers").fill(text)
        await page.get_by_label("Body").fill(content)
        await page.get_by_role("button", name="Find out why").click()
        await expect(page.get_by_role("heading", name=said)).to_be_visible()
    assert stage.problems == []


@pytest.mark.parametrize(
    "language",
    ["Python", "JavaScript", "TypeScript", "Go", "Java", "Kotlin", "C#", "Ruby", "PHP", "Rust", "curl"],
)
async def test_every_language_has_code_with_the_secret_of_the_endpoint(
    stage: Stage, receiver: Receiver, language: str
) -> None:
    page, _, _ = await pasted(stage, receiver)
    await page.get_by_role("button", name="Put my secret into the code").click()
    await page.get_by_role("tab", name=language, exact=True).click()
    code = page.get_by_role("region", name=language, exact=True)
    await expect(code).to_contain_text("whsec_")
    await expect(code).not_to_contain_text("whsec_…")
    await expect(code).to_contain_text("webhook-signature")


async def test_frameworks_have_their_pitfalls(stage: Stage, receiver: Receiver) -> None:
    page, _, _ = await pasted(stage, receiver)
    for framework in ("Express", "Next.js", "Rails", "Spring", "Laravel", "Django", "FastAPI"):
        await page.get_by_role("tab", name=framework, exact=True).click()
        await expect(page.get_by_role("region", name=framework, exact=True)).to_be_visible()
