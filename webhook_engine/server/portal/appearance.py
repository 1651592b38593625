"""The appearance of the consumer pages: the platform's own name, images, colours and font, from ``[portal]``."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from webhook_engine.config.sections import PortalConfig
from webhook_engine.server.portal.accent import accent_sheet

__all__ = ["Appearance"]

FALLBACK_FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif'


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The settings that are passed to the scripts of a page."""

    name: str | None = None
    logo: str | None = None
    home_url: str | None = None
    docs_url: str | None = None
    theme: str = "auto"
    images: Sequence[str] = ()
    """Origins that images may be loaded from."""
    parents: Sequence[str] = ()
    """Origins of the pages that may embed the portal and set its appearance."""


class Appearance:
    """The values derived from the settings, computed once."""

    def __init__(self, config: PortalConfig) -> None:
        urls = [url for url in (config.logo, config.favicon) if url is not None]
        self.images = tuple(dict.fromkeys([*map(_origin, urls), *config.image_origins]))
        """Origins that images may be loaded from."""
        self.fonts = () if config.font_url is None else (_origin(config.font_url),)
        """Origins that fonts may be loaded from."""
        self.sheet = _sheet(config)
        """The style sheet from the settings; empty if they set nothing."""
        self._config = config

    def places(self, title: str) -> Mapping[str, str]:
        """The values of ``{{…}}`` in a page with this title, as HTML; they may contain ``{{root}}``."""
        config = self._config
        told = _Told(
            name=config.name,
            logo=config.logo,
            home_url=config.home_url,
            docs_url=config.docs_url,
            theme=config.theme,
            images=self.images,
            parents=config.frame_ancestors,
        )
        icon = config.favicon
        return {
            "title": html.escape(config.name or title),
            "theme": config.theme,
            "appearance": html.escape(msgspec.json.encode(told).decode()),
            "icon": '<link rel="icon" href="{{root}}portal/static/favicon.svg" type="image/svg+xml">'
            if icon is None
            else f'<link rel="icon" href="{html.escape(icon)}">',
            "sheet": '<link rel="stylesheet" href="{{root}}portal/appearance.css">' if self.sheet else "",
        }


def _sheet(config: PortalConfig) -> str:
    parts = []
    if config.primary_color or config.primary_color_dark:
        colour = config.primary_color or config.primary_color_dark
        assert colour is not None  # noqa: S101 (one of the two is set)
        parts.append(accent_sheet(colour.lower(), (config.primary_color_dark or colour).lower()))
    font = config.font or ("Platform" if config.font_url else None)
    if config.font_url:
        face = f'font-family: "{font}"; src: url("{config.font_url}"); font-display: swap;'
        parts.append(f"@font-face {{ {face} }}\n")
    if font:
        parts.append(f':root {{ --text: "{font}", {FALLBACK_FONTS}; }}\n')
    return "".join(parts)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
