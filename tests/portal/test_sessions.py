"""Links that work once, sessions that end, and secrets that stay where they belong."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from webhook_engine import ManualClock
from webhook_engine.server.tokens import TokenKeys, organization_claims

from .conftest import Stage, staged

USED = "This link has expired or was already used"


async def test_a_link_opens_the_portal_once(stage: Stage) -> None:
    url = await stage.engine.portal.url("acme")
    first = await stage.page()
    await first.goto(url)
    await expect(first.get_by_role("heading", name="Endpoints", exact=True)).to_be_visible()
    await expect(first.get_by_text("Acme Corporation")).to_be_visible()
    second = await stage.page(await stage.context())
    await second.goto(url)
    await expect(second.get_by_role("heading", name=USED)).to_be_visible()


async def test_an_expired_link_says_what_to_do(tmp_path: Path) -> None:
    clock = ManualClock()
    async with staged(tmp_path / "engine.db", clock=clock) as stage:
        url = await stage.engine.portal.url("acme")
        clock.advance(timedelta(hours=1, seconds=1))
        page = await stage.page()
        await page.goto(url)
        await expect(page.get_by_role("heading", name=USED)).to_be_visible()


async def test_a_reload_keeps_the_session_and_its_page(stage: Stage) -> None:
    page = await stage.portal()
    await page.get_by_role("link", name="Event catalogue").click()
    await page.reload()
    await expect(page.get_by_role("heading", name="Event catalogue")).to_be_visible()
    await expect(page.get_by_text("invoice.paid")).to_be_visible()


async def test_a_session_that_ends_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with staged(tmp_path / "engine.db", clock=clock) as stage:
        page = await stage.portal()
        clock.advance(timedelta(days=8))
        await expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Open this page from your platform")).to_be_visible()


async def test_expire_all_ends_an_open_portal(stage: Stage) -> None:
    page = await stage.portal()
    async with aiohttp.ClientSession() as client:
        headers = {"authorization": f"Bearer {_organization_token(stage)}"}
        path = "/api/v1/auth/app/acme/expire-all"
        async with client.post(stage.url + path, headers=headers, json={}) as answer:
            assert answer.status == 204
    await expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()


async def test_no_secret_is_in_a_url_or_referer_or_cookie(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    url = await stage.engine.portal.url("acme")
    key = url.partition("#key=")[2]
    page = await stage.page()
    await page.goto(url)
    await expect(page.get_by_role("heading", name="Endpoints", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Messages").click()
    token = await page.evaluate("JSON.parse(sessionStorage.getItem('webhook-engine.session')).token")
    assert key not in page.url
    assert await page.evaluate("history.length") <= 3
    await page.go_back()
    assert key not in page.url
    asked = "\n".join(stage.requested)
    # The first request line of a browser has no fragment; Playwright names the whole address that it was told.
    assert key not in asked.replace(url, "")
    assert token not in asked
    assert not any(referer for referer in stage.requested[1::2])
    assert await page.context.cookies() == []
    assert key not in caplog.text
    assert token not in caplog.text


async def test_the_page_runs_only_its_own_scripts(tmp_path: Path) -> None:
    async with staged(tmp_path / "engine.db", portal__frame_ancestors=["https://app.example.com"]) as stage:
        async with aiohttp.ClientSession() as client, client.get(f"{stage.url}/portal/") as answer:
            policy = answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors https://app.example.com" in policy
        page = await stage.portal()
        script = "Object.assign(document.createElement('script'), {text: 'window.bad = 1'})"
        await page.evaluate(f"document.body.append({script})")
        assert await page.evaluate("window.bad") is None
        assert any("Content Security Policy" in problem for problem in stage.problems)


async def test_nobody_frames_the_portal_unless_it_is_configured(stage: Stage) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{stage.url}/portal/") as answer:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


async def test_a_reader_can_change_nothing(stage: Stage) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url="https://example.com/hook")
    page = await stage.portal(read_only=True)
    await expect(page.get_by_role("link", name="https://example.com/hook")).to_be_visible()
    await expect(page.get_by_role("button", name="Add endpoint")).to_have_count(0)
    await page.goto(f"{stage.url}/portal/#/endpoints/{endpoint.id}")
    await expect(page.get_by_role("tab", name="Testing")).to_be_visible()
    await expect(page.get_by_role("button", name="Recover failed messages")).to_have_count(0)
    await page.get_by_role("tab", name="Settings").click()
    await expect(page.get_by_role("button", name="Save changes")).to_be_disabled()


async def test_an_operator_sees_every_application(stage: Stage) -> None:
    await stage.engine.applications.create(name="Globex", uid="globex")
    await stage.engine.endpoints.create("globex", url="https://globex.example/hook")
    page = await stage.page()
    await page.goto(f"{stage.url}/portal/")
    await expect(page.get_by_role("heading", name="Open this page from your platform")).to_be_visible()
    await page.get_by_text("I operate this service").click()
    await page.get_by_label("API token").fill(_organization_token(stage))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("link", name="Acme Corporation")).to_be_visible()
    await page.get_by_role("link", name="Globex").click()
    await expect(page.get_by_role("link", name="https://globex.example/hook")).to_be_visible()
    await expect(page.get_by_role("banner").get_by_text("Globex")).to_be_visible()


async def test_an_operators_address_names_the_application(stage: Stage) -> None:
    globex = await stage.engine.applications.create(name="Globex", uid="globex")
    acme = await stage.engine.applications.get("acme")
    await stage.engine.endpoints.create("acme", url="https://acme.example/hook")
    endpoint = await stage.engine.endpoints.create("globex", url="https://globex.example/hook")
    page = await stage.page()
    await page.goto(f"{stage.url}/portal/")
    await _sign_in(stage, page)
    banner = page.get_by_role("banner")
    await page.get_by_role("link", name="Acme Corporation").click()
    await expect(page.get_by_role("link", name="https://acme.example/hook")).to_be_visible()
    assert f"/applications/{acme.id}/" in page.url
    await page.get_by_role("link", name="Applications").click()
    await page.get_by_role("link", name="Globex").click()
    await page.get_by_role("link", name="https://globex.example/hook").click()
    await page.get_by_role("tab", name="Settings").click()
    await expect(page).to_have_url(re.compile(f"#/applications/{globex.id}/endpoints/{endpoint.id}.tab=settings$"))
    linked = page.url

    for _ in range(3):
        await page.go_back()
    await expect(page.get_by_role("link", name="https://acme.example/hook")).to_be_visible()
    await expect(banner.get_by_text("Acme Corporation")).to_be_visible()
    assert f"/applications/{acme.id}/" in page.url
    await page.reload()
    await expect(page.get_by_role("link", name="https://acme.example/hook")).to_be_visible()
    await expect(page.get_by_role("link", name="https://globex.example/hook")).to_have_count(0)

    # Somebody else opens the link, and one that was written by hand with the uid.
    other = await stage.page(await stage.context())
    await other.goto(linked)
    await _sign_in(stage, other)
    await expect(other.get_by_role("button", name="Save changes")).to_be_visible()
    await expect(other.get_by_role("banner").get_by_text("Globex")).to_be_visible()
    await other.goto(f"{stage.url}/portal/#/applications/acme/endpoints")
    await expect(other.get_by_role("link", name="https://acme.example/hook")).to_be_visible()
    await expect(other.get_by_role("banner").get_by_text("Acme Corporation")).to_be_visible()
    await other.goto(f"{stage.url}/portal/#/endpoints")
    await expect(other.get_by_role("heading", name="Applications")).to_be_visible()
    assert stage.problems == []


async def _sign_in(stage: Stage, page: Page) -> None:
    await page.get_by_text("I operate this service").click()
    await page.get_by_label("API token").fill(_organization_token(stage))
    await page.get_by_role("button", name="Sign in").click()


async def test_a_token_that_is_none_is_refused(stage: Stage) -> None:
    page = await stage.page()
    await page.goto(f"{stage.url}/portal/")
    await page.get_by_text("I operate this service").click()
    await page.get_by_label("API token").fill("nonsense")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("This is not an API token")).to_be_visible()
    forged = _organization_token(stage)[:-4] + "AAAA"
    await page.get_by_label("API token").fill(forged)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("This token is not accepted")).to_be_visible()


async def test_a_portal_shows_one_application_only(stage: Stage) -> None:
    other = await stage.engine.applications.create(name="Globex", uid="globex")
    page = await stage.portal()
    answer = await page.evaluate(
        """async (id) => {
            const { token } = JSON.parse(sessionStorage.getItem("webhook-engine.session"));
            return (await fetch(`/api/v1/app/${id}`, { headers: { authorization: `Bearer ${token}` } })).status;
        }""",
        other.id,
    )
    assert answer == 404


def _organization_token(stage: Stage) -> str:
    services = stage.engine.services
    claims = organization_claims(
        stage.engine.id, services.ids.new("tok_", services.clock.now()), services.clock.now() // 1_000_000
    )
    return TokenKeys.of(stage.engine.config).sign(claims)
