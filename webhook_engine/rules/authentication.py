"""How requests to an endpoint are authenticated: checks what callers set, and masks what is shown. Pure.

Secrets are shown as a mask. A caller that reads the options and writes them back sends the mask, which stands for the
stored secret, provided that the secret would be sent to the same place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from webhook_engine.errors import ValidationError
from webhook_engine.rules.problems import OptionRule
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.rules.user_info import MASK
from webhook_engine.rules.values import kind_of

__all__ = ["CLIENT_AUTHENTICATIONS", "TYPES", "checked", "checked_tls", "conflict", "shown"]

TYPES = ("basic", "bearer", "oauth2")
CLIENT_AUTHENTICATIONS = ("basic", "body")
"""How a client authenticates at a token server (RFC 6749, section 2.3.1): in a header, or in the form."""

MAX_LENGTH = 4096
"""Characters of a secret, as for a header's value."""
MAX_PEM = 65_536
"""Characters of a certificate with its chain, of a key, or of CA certificates."""

_FIELDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "basic": (frozenset({"username", "password"}), frozenset()),
    "bearer": (frozenset({"token"}), frozenset()),
    "oauth2": (frozenset({"token_url", "client_id", "client_secret"}), frozenset({"scope", "client_authentication"})),
}
"""The required and the optional members of each type."""
_SECRET = frozenset({"password", "token", "client_secret", "key"})
_TLS = ("certificate", "key", "ca")
_TEXT = re.compile(r"[\x20-\x7e]*").fullmatch
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*").fullmatch


def checked(
    field: str, value: object, before: Mapping[str, str] | None, *, https_only: bool = False
) -> dict[str, str] | None:
    """The authentication to store, with its secrets; ``before`` is what is stored now. Raises ``ValidationError``."""
    if value is None:
        return None
    given = _given(field, value)
    kind = given.get("type")
    if kind not in _FIELDS:
        raise ValidationError(f"{field}.type", f"must be one of {', '.join(TYPES)}, not {kind!r}"[:200])
    required, optional = _FIELDS[str(kind)]
    for name in given.keys() - required - optional - {"type"}:
        raise ValidationError(f"{field}.{name}", f"is nothing that {kind} has; it has {_listed(required | optional)}")
    result = {"type": str(kind)}
    for name in sorted(required | optional):
        text = given.get(name)
        if text is None or (text == "" and name in optional):
            if name in required:
                raise ValidationError(f"{field}.{name}", f"is missing: {kind} needs {_listed(required)}")
            continue
        result[name] = _text(f"{field}.{name}", text, MAX_LENGTH)
    if kind == "basic" and ":" in result["username"]:
        raise ValidationError(f"{field}.username", "must not contain ':', which ends a user name in basic")
    if kind == "oauth2":
        result["token_url"] = _token_url(f"{field}.token_url", result["token_url"], https_only=https_only)
        how = result.get("client_authentication", "basic")
        if how not in CLIENT_AUTHENTICATIONS:
            raise ValidationError(f"{field}.client_authentication", f"must be one of {_listed(CLIENT_AUTHENTICATIONS)}")
    _unmask(field, result, before)
    if kind == "bearer" and not _TOKEN(result["token"]):
        raise ValidationError(f"{field}.token", "must consist of letters, digits and -._~+/ (RFC 6750), without blanks")
    return result


def checked_tls(field: str, value: object, before: Mapping[str, str] | None) -> dict[str, str] | None:
    """The TLS options of an endpoint, with the private key, in PEM. Whether the PEM is valid is not checked here.

    ``before`` is what is stored now. Raises ``ValidationError``.
    """
    if value is None:
        return None
    given = _given(field, value)
    for name in given.keys() - set(_TLS):
        raise ValidationError(f"{field}.{name}", f"is nothing that TLS has here; it has {_listed(_TLS)}")
    result: dict[str, str] = {}
    for name in _TLS:
        text = given.get(name)
        if text is None or text == "":
            continue
        if not isinstance(text, str) or len(text) > MAX_PEM or not text.isascii():
            raise ValidationError(f"{field}.{name}", f"must be PEM, an ASCII text of at most {MAX_PEM} characters")
        result[name] = str.__str__(text)
    if not result:
        raise ValidationError(field, f"must have at least one of {_listed(_TLS)}; null means that of every endpoint")
    if ("certificate" in result) != ("key" in result):
        raise ValidationError(field, "must have both a certificate and its key, or neither")
    if result.get("key") == MASK and (before or {}).get("certificate") != result.get("certificate"):
        raise ValidationError(
            f"{field}.key",
            f"must be the key itself: {MASK} stands for that of the certificate before",
            OptionRule.KEPT_ELSEWHERE,
        )
    _unmask(field, result, before)
    return result


def shown(stored: Mapping[str, str]) -> dict[str, str]:
    """The same for display, with secrets masked."""
    return {name: MASK if name in _SECRET else value for name, value in stored.items()}


def conflict(authenticated: bool, header_names: Mapping[str, str], user_info: str | None) -> str | None:
    """Why this authentication conflicts with other credentials, in words; ``None`` if it does not."""
    if not authenticated:
        return None
    if any(name.lower() == "authorization" for name in header_names):
        return "the endpoint has an authorization header of its own; remove that first, or do without authentication"
    if user_info is not None:
        return "the endpoint's URL has a user name or a password; remove them first, or do without authentication"
    return None


def _given(field: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise ValidationError(field, f"must be a mapping of names to values, not {kind_of(value)}")
    return {str(name): each for name, each in value.items() if each is not None}


def _text(field: str, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {kind_of(value)}")
    if not value or len(value) > most or not _TEXT(value):
        raise ValidationError(field, f"must be 1 to {most} printable ASCII characters")
    return str.__str__(value)


def _token_url(field: str, value: str, *, https_only: bool) -> str:
    url = endpoint_url(field, value, https_only=https_only)
    if "@" in urlsplit(url).netloc:
        raise ValidationError(field, "must have no user name or password; the client's are client_id and client_secret")
    return url


def _unmask(field: str, result: dict[str, str], before: Mapping[str, str] | None) -> None:
    """Replace each mask with the stored secret."""
    for name in result.keys() & _SECRET:
        if result[name] != MASK:
            continue
        stored = (before or {}).get(name)
        if before is None or stored is None or _place(before) != _place(result):
            raise ValidationError(
                f"{field}.{name}",
                f"must be the secret itself: {MASK} stands for the stored one, which is kept only for the same type, "
                "the same name, and a token server at the same host",
                OptionRule.KEPT_ELSEWHERE,
            )
        result[name] = stored


def _place(value: Mapping[str, str]) -> tuple[object, ...]:
    """Where a secret is sent, and for which user or client."""
    url = urlsplit(value.get("token_url", ""))
    return value.get("type"), value.get("username"), value.get("client_id"), url.scheme, url.netloc


def _listed(names: object) -> str:
    return ", ".join(sorted(map(str, names)))  # type: ignore[call-overload]
