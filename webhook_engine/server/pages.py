"""Pages and their files, sent with headers that keep out foreign scripts.

A file is read from the package when it is first requested.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from types import MappingProxyType

import msgspec
from aiohttp import web

from webhook_engine.server.errors import ApiError

__all__ = ["Files", "only", "page_headers", "relative_root", "sheet"]

_ROOT = b"{{root}}"
_PLACE = re.compile(rb"\{\{([a-z]+)\}\}")
_KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_ASSET_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _File(msgspec.Struct, frozen=True):
    body: bytes
    kind: str
    tag: str
    packed: bytes
    """The gzipped body."""


class Files:
    """The files of one folder of the package, without its subfolders."""

    def __init__(self, folder: Traversable) -> None:
        self._places = {file.name: file for file in folder.iterdir() if file.is_file()}
        self._files: dict[str, _File] = {}

    def asset(
        self, request: web.BaseRequest, name: str, headers: Mapping[str, str] = MappingProxyType({})
    ) -> web.Response:
        """A script, style sheet or image; the browser caches it and revalidates it each time.

        ``headers`` override the usual ones. Raises ``ApiError`` (404) if there is no such file.
        """
        only(request, "GET", "HEAD")
        if name not in self._places or name.endswith(".html"):
            raise ApiError(404, "not_found", "There is no such file.")
        file = self._file(name)
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        tag = f'"{file.tag}-gzip"' if packed else f'"{file.tag}"'
        headers = {"ETag": tag, "Vary": "Accept-Encoding", **_ASSET_HEADERS, **headers}
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = file.packed if packed else file.body
        return web.Response(body=body, content_type=file.kind, charset="utf-8", headers=headers)

    def page(
        self,
        request: web.BaseRequest,
        name: str,
        headers: Mapping[str, str],
        status: int = 200,
        *,
        places: Mapping[str, str] = MappingProxyType({}),
    ) -> web.Response:
        """A page; ``{{root}}`` in it becomes the relative path to the server's root.

        ``places`` maps further names in braces to HTML.
        """
        only(request, "GET", "HEAD")
        body = _PLACE.sub(
            lambda place: places.get(place[1].decode(), place[0].decode()).encode(), self._file(name).body
        )
        body = body.replace(_ROOT, relative_root(request.raw_path).encode())
        return web.Response(status=status, body=body, content_type="text/html", charset="utf-8", headers=headers)

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _read(self._places[name])
        return file


def only(request: web.BaseRequest, *methods: str) -> None:
    """Raises ``ApiError`` with 405 for any other method."""
    if request.method not in methods:
        raise ApiError(405, "method_not_allowed", f"Only {', '.join(methods)} can be used here.")


def sheet(request: web.BaseRequest, text: str) -> web.Response:
    """A generated style sheet."""
    only(request, "GET", "HEAD")
    return web.Response(text=text, content_type="text/css", charset="utf-8", headers=_ASSET_HEADERS)


def page_headers(
    frame_ancestors: Sequence[str] = (), *, images: Sequence[str] = (), fonts: Sequence[str] = ()
) -> dict[str, str]:
    """The headers of a page: only own files, nothing inline, framed only by ``frame_ancestors``.

    ``images`` and ``fonts`` are further origins that these may be loaded from.
    """
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        " ".join(("img-src 'self'", *images)),
        *([f"font-src {' '.join(fonts)}"] if fonts else ()),
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        f"frame-ancestors {' '.join(frame_ancestors)}" if frame_ancestors else "frame-ancestors 'none'",
    )
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if not frame_ancestors:
        headers["X-Frame-Options"] = "DENY"
    return headers


def relative_root(target: str) -> str:
    """The relative path from a request target to the root, so that pages work behind a proxy that adds a path."""
    return "../" * (target.partition("?")[0].count("/") - 1) or "./"


def _read(file: Traversable) -> _File:
    body = file.read_bytes()
    ending = file.name[file.name.rfind(".") :]
    kind = _KINDS.get(ending) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return _File(body, kind, hashlib.sha256(body).hexdigest()[:20], gzip.compress(body, mtime=0))
