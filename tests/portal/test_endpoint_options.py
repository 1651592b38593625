"""What an endpoint may ask for beyond the usual, in the portal: asked for, kept, taken back, and what is wrong."""

from __future__ import annotations

from datetime import timedelta

import trustme
from playwright.async_api import Page, expect
from receivers import Receiver

from webhook_engine import Endpoint

from .conftest import Stage
from .scanning import scanned

SAVED = "Saved; it applies from the next attempt"
CA = trustme.CA()
ISSUED = CA.issue_cert("client.example")
CERTIFICATE = "".join(part.bytes().decode() for part in ISSUED.cert_chain_pems).strip()
KEY = ISSUED.private_key_pem.bytes().decode().strip()
OTHER_KEY = CA.issue_cert("other.example").private_key_pem.bytes().decode().strip()


async def settings(stage: Stage, endpoint: Endpoint, **options: object) -> Page:
    """The tab Settings."""
    page = await stage.page(bypass_csp=True, reduced_motion="reduce", **options)
    await page.goto(f"{await stage.engine.portal.url('acme')}&next=/endpoints/{endpoint.id}?tab=settings")
    await expect(page.locator("details.more")).to_be_visible()
    return page


async def test_it_is_asked_for_kept_and_taken_back(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await settings(stage, endpoint)
    save, saved = page.get_by_role("button", name="Save changes"), page.get_by_text(SAVED)
    more = page.locator("details.more")
    seconds = more.get_by_label("Seconds for a response").first
    # By the keyboard alone.
    await more.locator("> summary").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(seconds).to_be_focused()
    await page.keyboard.type("7.5")
    await more.get_by_label("Retries", exact=True).first.select_option("After own delays")
    await more.get_by_label("Delays before each retry").first.fill("5s, 60s")
    await more.get_by_role("button", name="Add event type").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("invoice.*")
    row = more.locator(".times")
    await row.get_by_label("Seconds for a response").fill("3")
    await row.get_by_label("Retries").select_option("None: one attempt only")
    await more.get_by_label("Method").select_option("PUT")
    await more.get_by_label("Content type").fill("application/cloudevents+json")
    await more.get_by_label("User agent").fill("Shop/2")
    await more.get_by_label("Compression").select_option("gzip")
    await more.get_by_label("Parameters of the URL").fill("source=shop\nb=c=d")
    await more.get_by_label("Format").select_option("Slack")
    await more.get_by_label("Client certificate").fill(CERTIFICATE)
    await more.get_by_label("Private key of the certificate").fill(KEY)
    await more.get_by_label("Trusted authorities").fill(CA.cert_pem.bytes().decode())
    await scanned(page, "more-settings")
    await save.click()
    await expect(saved).to_be_visible()
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert now.timeout == timedelta(seconds=7.5)
    assert now.retry_schedule == (timedelta(seconds=5), timedelta(minutes=1))
    assert now.timeout_by_event_type == {"invoice.*": timedelta(seconds=3)}
    assert now.retry_schedule_by_event_type == {"invoice.*": ()}
    assert (now.method, now.content_type, now.user_agent) == ("PUT", "application/cloudevents+json", "Shop/2")
    assert (now.compression, now.query, now.transformation) == ("gzip", {"source": "shop", "b": "c=d"}, "slack")
    assert now.tls is not None
    assert now.tls.certificate == CERTIFICATE
    # The key is a mask, which stands for what is kept; and what is shown is what is kept, so nothing is left to save.
    await expect(more.get_by_label("Private key of the certificate")).to_have_value("*****")
    await expect(more.get_by_label("Delays before each retry").first).to_have_value("5s, 1m")
    await save.click()
    await expect(page.get_by_text("There is nothing to save")).to_be_visible()
    # Who leaves what is typed behind is asked, and all of it can be taken back.
    await page.get_by_label("Description").fill("Invoices")
    await seconds.fill("")
    await page.get_by_role("link", name="Messages", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Stay here").click()
    await more.get_by_label("Retries", exact=True).first.select_option(index=0)
    await more.get_by_role("button", name="Remove invoice.*").click()
    for label in ("Client certificate", "Private key of the certificate", "Trusted authorities"):
        await more.get_by_label(label).fill("")
    async with page.expect_response(lambda response: response.request.method == "PATCH"):
        await save.click()
    await expect(more.get_by_label("Retries", exact=True).first).to_have_value("")
    now = await stage.engine.endpoints.get("acme", endpoint.id)
    assert (now.description, now.timeout, now.retry_schedule, now.tls) == ("Invoices", None, None, None)
    assert (now.timeout_by_event_type, now.retry_schedule_by_event_type) == (None, None)
    assert (now.method, now.user_agent) == ("PUT", "Shop/2")
    assert stage.problems == []


async def test_what_is_wrong_is_told_beside_it_in_the_consumers_language(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await settings(stage, endpoint, locale="de-DE")
    save = page.get_by_role("button", name="Änderungen speichern")
    more = page.locator("details.more")

    def told(label: str) -> str:
        return f".field:has(:text-is('{label}')) > .problem:visible"

    # What the page knows itself, although it is folded away.
    await more.locator("> summary").click()
    await more.get_by_label("Sekunden für eine Antwort").first.fill("31")
    await more.locator("> summary").click()
    await save.click()
    await expect(page.locator(told("Sekunden für eine Antwort"))).to_contain_text("höchstens 30 Sekunden")
    await expect(more.get_by_label("Sekunden für eine Antwort").first).to_be_focused()
    await more.get_by_label("Sekunden für eine Antwort").first.fill("30")
    await more.get_by_label("Wiederholungen", exact=True).first.select_option("Nach eigenen Wartezeiten")
    await more.get_by_label("Wartezeiten vor jeder Wiederholung").first.fill("5s, bald")
    await save.click()
    await expect(page.locator(told("Wartezeiten vor jeder Wiederholung"))).to_contain_text("mit Einheit")
    await more.get_by_label("Wartezeiten vor jeder Wiederholung").first.fill("5s, 8d")
    await save.click()
    await expect(page.locator(told("Wartezeiten vor jeder Wiederholung"))).to_contain_text("7 Tage insgesamt")
    await more.get_by_label("Wartezeiten vor jeder Wiederholung").first.fill("5s")
    # What only the server knows.
    await more.get_by_label("Client-Zertifikat").fill(CERTIFICATE)
    await more.get_by_label("Privater Schlüssel des Zertifikats").fill(OTHER_KEY)
    await save.click()
    await expect(page.locator(told("Privater Schlüssel des Zertifikats"))).to_contain_text("in PEM und ohne Passwort")
    await more.get_by_label("Privater Schlüssel des Zertifikats").fill(KEY)
    await page.get_by_label("Nach Inhalt filtern").fill('{"customer_id": {"$x": 1}}')
    await page.get_by_text("Den Filter an einem Beispiel ausprobieren").click()
    await page.get_by_label("Beispielinhalt").first.fill("{}")
    await page.get_by_role("button", name="Filter ausprobieren").click()
    filtered = "customer_id.$x: diesen Operator gibt es nicht."
    await expect(page.get_by_text(filtered)).to_be_visible()
    await save.click()
    await expect(page.get_by_label("Nach Inhalt filtern")).to_be_focused()
    await expect(page.get_by_text(filtered)).to_be_visible()
    await page.get_by_label("Nach Inhalt filtern").fill("")
    await page.get_by_label("Authentifizierung", exact=True).select_option("Token (Bearer)")
    await page.get_by_label("Token", exact=True).fill("two words")
    await save.click()
    await expect(page.locator(told("Token"))).to_contain_text("keine Leerzeichen")
    assert await stage.engine.endpoints.get("acme", endpoint.id) == endpoint
    await page.get_by_label("Token", exact=True).fill("token")
    async with page.expect_response(lambda response: response.request.method == "PATCH" and response.ok):
        await save.click()
    # The browser itself notes each answer of 422.
    assert all("422" in problem for problem in stage.problems)


async def test_it_says_why_there_is_no_access_token(stage: Stage, receiver: Receiver) -> None:
    receiver.answer(401)
    oauth2 = {"type": "oauth2", "token_url": receiver.url, "client_id": "me", "client_secret": "hush"}
    endpoint = await stage.engine.endpoints.create("acme", url=f"{receiver.url}/hook", authentication=oauth2)
    page = await settings(stage, endpoint, locale="fr-FR")
    await page.get_by_role("button", name="Essayer l\u2019authentification").click()
    await expect(page.get_by_text("Le serveur de jetons a répondu 401.")).to_be_visible()


async def test_an_attempt_is_counted_by_the_schedule_that_the_endpoint_asks_for(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer(500)
    await stage.engine.endpoints.create("acme", url=receiver.url, retry_schedule=["1h"] * 4)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    await receiver.wait_for(1)
    page = await stage.portal()
    await page.goto(f"{stage.url}/portal/#/messages/{message.id}")
    await expect(page.get_by_text("Attempt 1 of 5")).to_be_visible()
