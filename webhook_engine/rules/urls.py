"""The URLs of endpoints: which are valid, and their normal form. Pure.

The rules are those of browsers (the WHATWG URL standard), without their leniency: a URL is http or https with a host.
The normal form has the host in lower case and ASCII, numeric hosts as an IPv4 address, no default port, ``.`` and
``..`` resolved, and percent-encoding where it is required. So the stored URL is the one that will be called, however it
was written.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote

from yarl import URL

from webhook_engine.errors import ValidationError
from webhook_engine.rules.values import kind_of

__all__ = ["MAX_URL", "endpoint_url"]

MAX_URL = 4096
"""Characters, before and after normalization."""

_BLANK = re.compile(r"[\x00-\x20\x7f-\xa0\s]").search
_SCHEME = re.compile(r"(https?)://", re.IGNORECASE).match
_HOST_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?").fullmatch
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*").fullmatch
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_HOST = 253

_USER_INFO_SAFE = "%!$&'()*+,-._~"
_PATH_SAFE = "!$%&'()*+,-./:;=@[\\]_|~"
_QUERY_SAFE = "!$%&()*+,-./:;=?@[\\]^_`{|}~"
_FRAGMENT_SAFE = "!#$%&'()*+,-./:;=?@[\\]^_{|}~"


def endpoint_url(field: str, value: object, *, https_only: bool) -> str:
    """The normal form of an endpoint's URL; raises ``ValidationError``.

    User name and password are allowed, and so are private addresses, which are checked when the URL is called.
    """
    if not isinstance(value, str):
        raise ValidationError(field, f"must be a string, not {kind_of(value)}")
    if len(value) > MAX_URL:
        raise ValidationError(field, f"must have at most {MAX_URL} characters, not {len(value)}")
    if _BLANK(value):
        raise ValidationError(field, "must not contain white space or control characters; percent-encode them")
    scheme = _SCHEME(value)
    if scheme is None:
        raise ValidationError(field, "must be absolute and begin with https:// or http://")
    if https_only and scheme[1].lower() == "http":
        raise ValidationError(field, "must begin with https://, because delivery.https_only is set")
    try:
        normal = _normal(scheme[1].lower(), value[scheme.end() :])
    except UnicodeError:
        raise ValidationError(field, "must be valid Unicode, and its host a valid name") from None
    except ValueError as error:
        raise ValidationError(field, str(error)) from None
    if len(normal) > MAX_URL:
        raise ValidationError(field, f"must have at most {MAX_URL} characters when percent-encoded")
    return normal


def _normal(scheme: str, rest: str) -> str:
    rest, hash_mark, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    authority, _, path = rest.replace("\\", "/").partition("/")
    user_info, _, address = authority.rpartition("@")
    host, port = _host_and_port(address)
    return (
        f"{scheme}://{_user_info(user_info)}{_host(host)}{_port(scheme, port)}/{_path(path)}"
        f"{question_mark}{quote(query, safe=_QUERY_SAFE)}{hash_mark}{quote(fragment, safe=_FRAGMENT_SAFE)}"
    )


def _user_info(text: str) -> str:
    name, _, password = text.partition(":")
    if not name and not password:
        return ""
    encoded = quote(name, safe=_USER_INFO_SAFE)
    return f"{encoded}:{quote(password, safe=_USER_INFO_SAFE)}@" if password else f"{encoded}@"


def _host_and_port(address: str) -> tuple[str, str]:
    if address.startswith("["):
        host, bracket, port = address.partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("must write an IPv6 address as [address] or [address]:port")
        return host + bracket, port[1:]
    host, _, port = address.partition(":")
    return host, port


def _host(text: str) -> str:
    if not text:
        raise ValueError("must have a host")
    if text.startswith("["):
        return _ipv6(text[1:-1])
    name = unquote(text, errors="strict")
    if not name.isascii():
        name = _ascii(name)
    name = name.lower()
    if not _HOST_NAME(name) or len(name.rstrip(".")) > _MAX_HOST:
        raise ValueError("must have a host name of letters, digits, '-' and '_' in labels of 1 to 63 characters")
    labels = name.removesuffix(".").split(".")
    return _ipv4(labels) if _NUMBER(labels[-1]) else name


def _ascii(name: str) -> str:
    try:
        return URL.build(scheme="http", host=name).raw_host or ""
    except ValueError:
        raise ValueError("must have a host name that is valid as an international domain name") from None


def _ipv6(text: str) -> str:
    if "%" in text:
        raise ValueError("must not have a zone in its IPv6 address")
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError("must have a valid IPv6 address between [ and ]") from None
    if address.ipv4_mapped is not None:
        mapped = int(address.ipv4_mapped)
        return f"[::ffff:{mapped >> 16:x}:{mapped & 0xFFFF:x}]"
    return f"[{address.compressed}]"


def _ipv4(parts: list[str]) -> str:
    """The IPv4 address of 1 to 4 decimal, octal or hexadecimal numbers; the last one fills the remaining bytes."""
    if len(parts) > 4 or not all(map(_NUMBER, parts)):
        raise ValueError("must have a host name, or an IPv4 address of four numbers")
    *first, last = [_number(part) for part in parts]
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        raise ValueError("must have an IPv4 address of four numbers from 0 to 255")
    return str(IPv4Address(last + sum(number << 8 * (3 - index) for index, number in enumerate(first))))


def _number(text: str) -> int:
    if len(text) > 16:
        raise ValueError("must have an IPv4 address of four numbers from 0 to 255")
    if text[:2] in ("0x", "0X"):
        return int(text[2:] or "0", 16)
    if len(text) > 1 and text.startswith("0"):
        if not set(text) <= set("01234567"):
            raise ValueError("must have no leading zeros in the numbers of its IPv4 address")
        return int(text, 8)
    return int(text)


def _port(scheme: str, text: str) -> str:
    if not text:
        return ""
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= 65_535):
        raise ValueError("must have a port from 1 to 65535")
    number = int(text)
    return "" if number == _DEFAULT_PORTS[scheme] else f":{number}"


def _path(text: str) -> str:
    segments = text.split("/")
    kept: list[str] = []
    for index, segment in enumerate(segments):
        dots = segment.lower().replace("%2e", ".")
        if dots == ".." and kept:
            kept.pop()
        if dots not in (".", ".."):
            kept.append(quote(segment, safe=_PATH_SAFE))
        elif index == len(segments) - 1:
            kept.append("")
    return "/".join(kept)
