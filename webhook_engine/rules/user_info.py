"""User name and password in the URL of an endpoint (RFC 3986, section 3.2.1): what of it may be shown. Pure.

What stands before the ``@`` is a secret. A URL is shown with a mask in the place of the password, or of the user name
where that stands alone, since a token is written so. A caller that reads a URL and writes it back leaves the mask
in it. URLs are in their normal form here, as ``endpoint_url`` makes it.
"""

from __future__ import annotations

from webhook_engine.errors import ValidationError

__all__ = ["MASK", "masked", "merged", "split"]

MASK = "*****"


def split(url: str) -> tuple[str, str | None]:
    """The URL as it may be shown, and its user info (``name:password``, percent-encoded) or ``None``."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user_info, at, host = authority.rpartition("@")
    if not at:
        return url, None
    name, colon, _ = user_info.partition(":")
    shown = f"{name}:{MASK}" if colon else MASK
    return f"{scheme}://{shown}@{host}{slash}{path}", user_info


def masked(url: str) -> bool:
    """Whether a URL has the mask in the place of a secret."""
    shown, user_info = split(url)
    return user_info is not None and shown == url


def merged(field: str, url: str, before: str | None) -> tuple[str, str | None, bool]:
    """A URL that a caller gave for an endpoint whose URL was shown as ``before`` (``None``: there was none).

    Returns it as it may be shown, its user info, and whether the stored user info stays instead: a mask stands for what
    is stored, as long as user name, scheme, host and port are the same. It must not be sent anywhere else.
    Raises ``ValidationError``.
    """
    if not masked(url):
        return *split(url), False
    if before is None or _origin(before) != _origin(url):
        raise ValidationError(
            field,
            f"must have the password itself: {MASK} stands for the stored one, which is kept only where the scheme, "
            "the user name, the host and the port stay as they are",
        )
    return url, None, True


def _origin(url: str) -> str:
    """Everything before the path, with masked user info."""
    scheme, _, rest = split(url)[0].partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
