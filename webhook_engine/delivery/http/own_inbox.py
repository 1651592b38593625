"""Recognizing Play inboxes that this engine serves itself: only they may be on a private address. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from yarl import URL

from webhook_engine.rules.inboxes import is_inbox_path

__all__ = ["OwnInboxes"]


class OwnInboxes:
    """Knows the origins at which the engine is served. Only inboxes at exactly these origins are covered."""

    def __init__(self) -> None:
        self._bases: tuple[URL, ...] = ()

    def serve_at(self, base_urls: Iterable[str]) -> None:
        """Set the URLs of the server; none means that it has stopped."""
        urls = [URL(base) for base in base_urls]
        self._bases = tuple(url for url in urls if url.scheme in ("http", "https") and url.raw_host)

    def covers(self, url: URL) -> bool:
        """Whether a request to this URL can only reach an inbox of this engine."""
        return bool(self._bases) and any(
            _same_origin(url, base) and _is_inbox(url.raw_path, base.raw_path) for base in self._bases
        )


def _same_origin(url: URL, base: URL) -> bool:
    return _origin(url) == _origin(base)


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, (url.raw_host or "").lower(), url.port


def _is_inbox(path: str, base: str) -> bool:
    """Whether a path is that of an inbox, compared as sent, so that no encoding or dot segment leads elsewhere."""
    base = base.rstrip("/")
    return path.startswith(base) and is_inbox_path(path[len(base) :]) is not None
