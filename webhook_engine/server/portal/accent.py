"""Derives shades from a platform's own colour so that texts stay legible, in light and dark mode.

Contrast is computed as in WCAG 2, which requires 4.5 to 1 for text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

__all__ = ["DARK", "LEGIBLE", "LIGHT", "Ground", "Shades", "accent_sheet", "contrast", "shades"]

LEGIBLE = 4.5
STEPS = 100
HOVER = 0.14
"""How far a button's colour moves away from its text's colour while the mouse is over it."""

Colour = tuple[float, float, float]
"""Red, green and blue, from 0 to 255."""

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """The background and text colours of light or dark mode, as in the style sheet of the pages."""

    surfaces: Sequence[str]
    inks: Sequence[str]
    wash: float
    """The maximum share of the colour in the background of selected items."""
    away: Colour
    """The colour towards which a colour becomes more legible."""


LIGHT = Ground(
    surfaces=("#ffffff", "#f7f8fa", "#f1f3f6"),
    inks=("#131722", "#4b5567", "#5d687a", "#0b6b43", "#b3202a", "#8a4b04"),
    wash=0.1,
    away=_BLACK,
)
DARK = Ground(
    surfaces=("#151922", "#0d1017", "#1b202b", "#0f131b"),
    inks=("#edf0f5", "#b4bdcb", "#98a2b3", "#7ce0ae", "#ff9ca2", "#f7c36b"),
    wash=0.22,
    away=_WHITE,
)


class Shades(msgspec.Struct, frozen=True, kw_only=True):
    """The shades of one colour on one ground."""

    accent: str
    """For links and other texts, and for outlines."""
    fill: str
    """For buttons: the colour itself."""
    ink: str
    """For the text on buttons."""
    hover: str
    wash: str


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((_luminance(_read(one)), _luminance(_read(other))))
    return (high + 0.05) / (low + 0.05)


def shades(colour: str, ground: Ground) -> Shades:
    """The shades of a colour, such as ``#28bb93``, on a ground."""
    own = _read(colour)
    ink = max("#ffffff", "#000000", key=lambda each: contrast(each, colour))
    wash = _wash(own, ground)
    surfaces = (*ground.surfaces, wash)
    accent = next(
        each
        for step in range(STEPS + 1)
        if all(contrast(each := _written(_mixed(own, ground.away, step / STEPS)), one) >= LEGIBLE for one in surfaces)
    )
    return Shades(
        accent=accent,
        fill=_written(own),
        ink=ink,
        hover=_written(_mixed(own, _BLACK if ink == "#ffffff" else _WHITE, HOVER)),
        wash=wash,
    )


@lru_cache(maxsize=64)
def accent_sheet(colour: str, dark: str | None = None) -> str:
    """A style sheet with the shades of a colour for light mode, and of the same or another one for dark mode."""
    day, night = shades(colour, LIGHT), shades(dark or colour, DARK)
    pairs = {
        "accent": (day.accent, night.accent),
        "accent-fill": (day.fill, night.fill),
        "accent-ink": (day.ink, night.ink),
        "accent-hover": (day.hover, night.hover),
        "accent-wash": (day.wash, night.wash),
    }
    lines = (f"  --{name}: light-dark({light}, {night});\n" for name, (light, night) in pairs.items())
    return f":root {{\n{''.join(lines)}}}\n"


def _wash(own: Colour, ground: Ground) -> str:
    """The first surface, tinted with as much of the colour as leaves texts on it legible."""
    surface = _read(ground.surfaces[0])
    return next(
        each
        for step in range(STEPS, -1, -1)
        if all(
            contrast(each := _written(_mixed(surface, own, ground.wash * step / STEPS)), ink) >= LEGIBLE
            for ink in ground.inks
        )
    )


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (one + (two - one) * share for one, two in zip(colour, other, strict=True))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        each / 255 / 12.92 if each <= 0.04045 * 255 else ((each / 255 + 0.055) / 1.055) ** 2.4 for each in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _read(text: str) -> Colour:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _written(colour: Colour) -> str:
    return "#" + "".join(f"{round(each):02x}" for each in colour)
