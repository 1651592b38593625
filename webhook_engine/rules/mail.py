"""E-mail: valid addresses, an address as an endpoint's URL, and letter templates. Pure."""

from __future__ import annotations

import re
from string import Template

from webhook_engine.errors import ValidationError

__all__ = ["MAX_ADDRESS", "check_template", "mail_address", "mail_address_in", "mail_url"]

MAX_ADDRESS = 254
"""Characters (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""
MAX_LOCAL = 64
"""Characters before the ``@`` (section 4.5.3.1.1 there)."""

_SCHEME = "mailto:"
_PLACES = frozenset({"subject", "text", "portal_url", "portal_line", "unsubscribe_url", "unsubscribe_line"})
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def mail_address(field: str, value: object) -> str:
    """An address such as ``name@example.com``; raises ``ValidationError``. Quoted local parts are not supported."""
    local = value.partition("@")[0] if isinstance(value, str) else ""
    if (
        not isinstance(value, str)
        or len(local) > MAX_LOCAL
        or len(value) > MAX_ADDRESS
        or not _ADDRESS.fullmatch(value)
    ):
        raise ValidationError(field, "must be an e-mail address such as name@example.com, without a name beside it")
    return value


def mail_url(address: str) -> str:
    """The URL that stands for an e-mail address."""
    return _SCHEME + address


def mail_address_in(url: str) -> str | None:
    """The address in such a URL; ``None`` for any other URL."""
    return url.removeprefix(_SCHEME) if url.startswith(_SCHEME) else None


def check_template(text: str) -> str:
    """A template of letters with only known placeholders; raises ``ValueError`` that names an unknown one."""
    template = Template(text)
    if not template.is_valid():
        raise ValueError("it has a $ that begins no place; write $$ for a plain one")
    if unknown := sorted(set(template.get_identifiers()) - _PLACES):
        raise ValueError(f"it has ${{{unknown[0]}}}, but only {', '.join(f'${{{name}}}' for name in sorted(_PLACES))}")
    return text
