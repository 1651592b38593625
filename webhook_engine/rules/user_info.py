"""User name and password in an endpoint's URL (RFC 3986, section 3.2.1): how they are masked. Pure.

What precedes the ``@`` is secret. A URL is shown with a mask for the password, or for a user name without a password,
since a token may be written so. A caller that reads a URL and writes it back sends the mask. URLs are in the normal
form of ``endpoint_url`` here.
"""

from __future__ import annotations

from webhook_engine.errors import ValidationError

__all__ = ["MASK", "masked", "merged", "split"]

MASK = "*****"


def split(url: str) -> tuple[str, str | None]:
    """The URL with its secret masked, and its user info (``name:password``, percent-encoded) or ``None``."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user_info, at, host = authority.rpartition("@")
    if not at:
        return url, None
    name, colon, _ = user_info.partition(":")
    shown = f"{name}:{MASK}" if colon else MASK
    return f"{scheme}://{shown}@{host}{slash}{path}", user_info


def masked(url: str) -> bool:
    """Whether a URL has the mask in place of a secret."""
    shown, user_info = split(url)
    return user_info is not None and shown == url


def merged(field: str, url: str, before: str | None) -> tuple[str, str | None, bool]:
    """A URL that a caller gave for an endpoint whose URL was shown as ``before`` (``None``: a new endpoint).

    Returns the masked URL, its user info, and whether the stored user info is kept instead: a mask stands for the
    stored secret, provided that user name, scheme, host and port are unchanged. The secret must not be sent anywhere
    else. Raises ``ValidationError``.
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
