"""Whatever colour a platform has, its pages can be read."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook_engine.server.portal.accent import DARK, LEGIBLE, LIGHT, Ground, accent_sheet, contrast, shades

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
STYLE = (files("webhook_engine.server.portal") / "static" / "style.css").read_text("utf-8")
SURFACES = ("surface", "ground", "raised", "sunken")
INKS = ("ink", "ink-soft", "ink-faint", "good", "bad", "wait")


@pytest.mark.parametrize("ground", [LIGHT, DARK], ids=["by day", "by night"])
@given(colour=COLOURS)
@example(colour="#000000")
@example(colour="#ffffff")
@example(colour="#767676")
@example(colour="#777777")
@example(colour="#ffff00")
@example(colour="#0000ff")
def test_texts_keep_their_contrast_whatever_colour_is_chosen(ground: Ground, colour: str) -> None:
    made = shades(colour, ground)
    assert made.fill == colour
    for surface in (*ground.surfaces, made.wash):
        assert contrast(made.accent, surface) >= LEGIBLE
    for ink in ground.inks:
        assert contrast(ink, made.wash) >= LEGIBLE
    assert contrast(made.ink, made.fill) >= LEGIBLE
    assert contrast(made.ink, made.hover) >= LEGIBLE


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert shades("#0f5132", LIGHT).accent == "#0f5132"
    assert shades("#9ec5fe", DARK).accent == "#9ec5fe"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ff0000", "#ff0000") == 1


def test_what_is_reckoned_with_is_what_the_pages_have() -> None:
    tokens = dict(re.findall(r"--([\w-]+): light-dark\((#\w+, #\w+)\);", STYLE))
    for place, ground in enumerate((LIGHT, DARK)):
        assert {tokens[name].split(", ")[place] for name in SURFACES} == set(ground.surfaces)
        assert {tokens[name].split(", ")[place] for name in INKS} == set(ground.inks)


def test_a_sheet_has_a_pair_for_each_token_that_the_pages_take_from_the_colour() -> None:
    wanted = set(re.findall(r"--(accent[\w-]*): ", STYLE))
    sheet = accent_sheet("#ff0000", "#00ff00")
    assert dict(re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), #[0-9a-f]{6}\);", sheet)).keys() == wanted
    assert "--accent-fill: light-dark(#ff0000, #00ff00);" in sheet
