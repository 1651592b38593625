"""Every text is in every catalogue, and the pages are shown in the language of their reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.async_api import expect
from receivers import Receiver

from .conftest import Stage

PORTAL = files("webhook_engine.server.portal") / "static"
PLAY = files("webhook_engine.server.play") / "static"
SAID = re.compile(r'(?<![\w.])(?:t|pieces)\(\s*"((?:[^"\\]|\\.)*)"')
IMPORTED = re.compile(r'^import [^;]*?"\./([\w.]+)";', re.MULTILINE)
ENTRY = re.compile(r'^  "((?:[^"\\]|\\.)*)": (.*),$', re.MULTILINE)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
PLACE = re.compile(r"\{\w+\}")
LANGUAGES = ("de", "es", "fr", "ja", "pt")
SHOWN = {
    "de-AT": ("Endpunkte", "Noch keine Endpunkte"),
    "es-MX": ("Endpoints", "Todavía no hay endpoints"),
    "fr-CA": ("Endpoints", "Pas encore d\u2019endpoints"),
    "ja-JP": ("エンドポイント", "エンドポイントはまだありません"),
    "pt-BR": ("Endpoints", "Ainda não há endpoints"),
    "nl-NL": ("Endpoints", "No endpoints yet"),
}


def unquoted(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def said() -> Iterator[str]:
    """The texts in the code."""
    for folder in (PORTAL, PLAY):
        for file in folder.iterdir():
            if file.name.endswith(".js") and not file.name.startswith(("texts-", "language.js")):
                yield from map(unquoted, SAID.findall(file.read_text("utf-8")))


def catalogue(language: str) -> dict[str, list[str]]:
    """The texts of a language, by the English ones."""
    entries = [
        entry
        for pages in ("", "pages-", "operator-")
        for entry in ENTRY.findall((PORTAL / f"texts-{pages}{language}.js").read_text("utf-8"))
    ]
    return {unquoted(key): [unquoted(text) for text in TEXT.findall(value)] for key, value in entries}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete_and_has_nothing_else(language: str) -> None:
    texts, wanted = catalogue(language), set(said())
    assert wanted - set(texts) == set()
    assert set(texts) - wanted == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_page_finds_its_texts_in_the_first_catalogue(language: str) -> None:
    modules: set[str] = set()

    def walk(name: str) -> None:
        if name not in modules:
            modules.add(name)
            for other in IMPORTED.findall((PORTAL / name).read_text("utf-8")):
                walk(other)

    walk("portal.js")
    walk("endpoints.js")
    first = {unquoted(key) for key, _ in ENTRY.findall((PORTAL / f"texts-{language}.js").read_text("utf-8"))}
    for name in modules:
        assert set(map(unquoted, SAID.findall((PORTAL / name).read_text("utf-8")))) <= first, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_places_of_their_texts(language: str) -> None:
    for text, forms in catalogue(language).items():
        for form in forms:
            assert set(PLACE.findall(form)) == set(PLACE.findall(text)), text
            assert form.strip(), text


def test_english_has_forms_for_what_is_counted_and_nothing_that_is_not_said() -> None:
    english = catalogue("en")
    assert set(english) - set(said()) == set()
    assert all(len(forms) == 2 for forms in english.values())


@pytest.mark.parametrize("locale", SHOWN)
async def test_the_pages_speak_the_language_of_the_browser(stage: Stage, locale: str) -> None:
    page = await stage.portal(locale=locale)
    heading, words = SHOWN[locale]
    await expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    await expect(page.get_by_text(words)).to_be_visible()
    language = locale[:2] if locale != "nl-NL" else "en"
    assert await page.locator("html").get_attribute("lang") == language
    assert stage.problems == []


async def test_another_language_can_be_chosen_and_is_kept(stage: Stage) -> None:
    page = await stage.portal()
    await page.get_by_label("Language").select_option("Deutsch")
    await expect(page.get_by_role("heading", name="Endpunkte", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Endpunkte", exact=True)).to_be_visible()
    await page.get_by_label("Sprache").select_option("日本語")
    await expect(page.get_by_role("heading", name="エンドポイント", exact=True)).to_be_visible()


async def test_no_language_and_no_direction_breaks_the_layout(stage: Stage, receiver: Receiver) -> None:
    endpoint = await stage.engine.endpoints.create("acme", url=receiver.url)
    message = await stage.engine.messages.create("acme", event_type="invoice.paid", payload={})
    for locale in SHOWN:
        page = await stage.portal(locale=locale, viewport={"width": 390, "height": 844})
        for turned in ("ltr", "rtl"):
            for address in ("endpoints", "messages", f"messages/{message.id}", f"endpoints/{endpoint.id}", "catalogue"):
                await page.goto(f"{stage.url}/portal/#/{address}")
                await expect(page.locator("main h1")).to_be_visible()
                await page.evaluate(f"document.documentElement.dir = '{turned}'")
                wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, (locale, turned, address)
        await page.close()
