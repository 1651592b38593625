"""The kinds of configuration values: how each is parsed, what is allowed, and how it is shown.

A :class:`Kind` parses what TOML, the environment or Python code gives and returns the typed value, or raises
``ValueError`` that says what is wrong. It also accepts its own results, so that parsing twice changes nothing.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

from webhook_engine.rules.mail import check_template
from webhook_engine.rules.quantities import MILLISECOND, format_duration, parse_duration, quantity

__all__ = [
    "Kind",
    "Network",
    "Secret",
    "boolean",
    "ca_file",
    "database_path",
    "database_url",
    "duration",
    "format_duration",
    "format_size",
    "https_url",
    "integer",
    "is_on_a_server",
    "list_of",
    "listen_address",
    "literal",
    "matching",
    "network",
    "number",
    "one_of",
    "optional",
    "parse_duration",
    "parse_listen",
    "parse_size",
    "proxy_url",
    "public_key",
    "public_url",
    "secret",
    "size",
    "source_url",
    "sqlite_url",
    "store_url",
    "without_passwords",
]

T = TypeVar("T")
Word = TypeVar("Word", bound=str)
Network = IPv4Network | IPv6Network

_MASK = "********"
_BYTES = {"GB": 10**9, "GiB": 2**30, "MB": 10**6, "MiB": 2**20, "kB": 10**3, "KiB": 2**10, "B": 1}
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_PLAIN_URL = re.compile(r"https://[A-Za-z0-9._-]+(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9._~:/?#@!$&+=%-]*)?")
_SQLITE = "sqlite:///"
_OTHER_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(file|sqlite):")
_SERVER_DATABASE = re.compile(r"(postgresql|mysql)://")
_POSTGRESQL = ("postgresql://", "postgres://")
_TYPES = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "a list", tuple: "a list"}


class Secret:
    """A secret text: ``str``, ``repr`` and format strings return a mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """A kind of value."""

    allowed: str
    """What is allowed, as the end of a sentence that begins with "allowed is"."""
    read: Callable[[object], T]
    """Parses a TOML value or a typed one; raises ``ValueError`` that says what is wrong."""
    show: Callable[[T], str]
    """Formats the value as TOML for people, with secrets masked."""
    textual: bool = False
    """Whether the text of an environment variable is the value, unparsed."""
    hidden: bool = False
    """Whether the value may hold a secret, so that errors and ``repr`` must not quote it."""


# Durations and sizes.


def parse_size(text: str) -> int:
    """Parse ``"20kB"`` to a number of bytes; raises ``ValueError`` if it is not a size."""
    amount, unit = quantity(text, _BYTES, "a size")
    size_bytes = amount * _BYTES[unit]
    if size_bytes % 1:
        raise ValueError("a size is counted in whole bytes")
    return int(size_bytes)


def format_size(size_bytes: int) -> str:
    """The shortest form that :func:`parse_size` reads: ``20kB``, ``1MiB``."""
    # Many sizes are whole in both families of units (256kB is 250KiB); the decimal one comes first in the table.
    forms = [f"{size_bytes // factor}{unit}" for unit, factor in _BYTES.items() if size_bytes % factor == 0]
    return min(forms, key=len) if size_bytes else "0B"


def duration(shortest: str, longest: str) -> Kind[timedelta]:
    """A duration between two others."""
    low, high = parse_duration(shortest), parse_duration(longest)

    def read(value: object) -> timedelta:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError("a duration needs a unit")
        result = value if isinstance(value, timedelta) else parse_duration(_text(value))
        if result % MILLISECOND:
            raise ValueError("a duration is counted in whole milliseconds")
        return _within(result, low, high)

    allowed = f'a duration from "{shortest}" to "{longest}" (units: ms, s, m, h, d)'
    return Kind(allowed=allowed, read=read, show=lambda value: _quoted(format_duration(value)))


def size(smallest: str, largest: str) -> Kind[int]:
    """A number of bytes between two others."""
    low, high = parse_size(smallest), parse_size(largest)

    def read(value: object) -> int:
        return _within(parse_size(value) if isinstance(value, str) else _integer(value), low, high)

    allowed = f'a size from "{smallest}" to "{largest}" (units: B, kB, MB, GB, KiB, MiB, GiB), or an integer of bytes'
    return Kind(allowed=allowed, read=read, show=lambda value: _quoted(format_size(value)))


# Numbers, switches and words.


def boolean() -> Kind[bool]:
    """True or false."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise _wrong_type(value)
        return value

    return Kind(allowed="true or false", read=read, show=lambda value: str(value).lower())


def integer(low: int, high: int) -> Kind[int]:
    """A whole number between two others."""
    return Kind(
        allowed=f"an integer from {low} to {high}", read=lambda value: _within(_integer(value), low, high), show=str
    )


def number(low: float, high: float) -> Kind[float]:
    """A number between two others."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(value)
        if math.isnan(value):
            raise ValueError("this is not a number")
        return float(_within(value, low, high))

    return Kind(allowed=f"a number from {low:g} to {high:g}", read=read, show=repr)


def one_of(*words: Word) -> Kind[Word]:
    """One of a few words."""
    by_text = {str(word): word for word in words}

    def read(value: object) -> Word:
        text = _text(value)
        if text not in by_text:
            raise ValueError("this is not one of the choices")
        return by_text[text]

    return Kind(allowed="one of " + ", ".join(map(_quoted, words)), read=read, show=_quoted, textual=True)


def matching(pattern: str, allowed: str) -> Kind[str]:
    """A text that matches a pattern."""
    form = re.compile(pattern)

    def read(value: object) -> str:
        text = _text(value)
        if not form.fullmatch(text):
            raise ValueError("this does not have the right form")
        return text

    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def letter_template() -> Kind[str]:
    """The template of letters, with placeholders."""

    def read(value: object) -> str:
        return check_template(_text(value))

    return Kind(allowed="a text with ${text} and the other places in it", read=read, show=_quoted, textual=True)


def secret() -> Kind[Secret | None]:
    """A secret, or none."""

    def read(value: object) -> Secret | None:
        if value is None or isinstance(value, Secret):
            return value
        # An empty value is more likely a variable that failed to expand than a request for a generated secret.
        if not _text(value):
            raise ValueError("this is empty")
        return Secret(_text(value))

    return Kind(
        allowed="a string with at least one character, or leaving the key out",
        read=read,
        show=lambda value: _quoted(str(value)),
        textual=True,
        hidden=True,
    )


def public_key() -> Kind[str]:
    """A public key in PEM form."""

    def read(value: object) -> str:
        text = _text(value).strip()
        if "PRIVATE KEY" in text:
            raise ValueError("this is a private key, which does not belong here")
        if not re.match(r"-----BEGIN [A-Z ]*PUBLIC KEY-----\s", text):
            raise ValueError("this is not a public key in PEM form")
        return text

    allowed = 'a string that begins with "-----BEGIN PUBLIC KEY-----"'
    # Hidden, because the private key may be put here by mistake.
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True, hidden=True)


# Addresses.


def parse_listen(text: str) -> tuple[str, int] | Path:
    """Parse ``server.listen``: the host and port, or the path of the Unix socket. Raises ``ValueError``."""
    if text.startswith("unix:"):
        if not re.fullmatch(r"unix:/[^\0]*[^\0/]", text):
            raise ValueError("the path of the socket is not absolute")
        return Path(text.removeprefix("unix:"))
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})", text)
    if not match:
        raise ValueError("this is not an address to listen at")
    ipv6, host, port = match[1], match[2], int(match[3])
    if ipv6:
        IPv6Address(ipv6)
    elif re.fullmatch(r"[0-9.]+", host):
        IPv4Address(host)
    if port > 65535:
        raise ValueError("a port is at most 65535")
    return ipv6 or host, port


def listen_address() -> Kind[str]:
    """The address that a server listens at."""

    def read(value: object) -> str:
        parse_listen(_text(value))
        return _text(value)

    allowed = '"host:port", "[IPv6 address]:port" or "unix:/path/of/socket"; port 0 is any free one'
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def network() -> Kind[Network]:
    """A network of IP addresses."""

    def read(value: object) -> Network:
        if isinstance(value, IPv4Network | IPv6Network):
            return value
        if isinstance(value, IPv4Address | IPv6Address):
            return ip_network(value)
        return ip_network(_text(value))

    return Kind(
        allowed='a network as CIDR such as "10.0.0.0/8" or "fd00::/8"', read=read, show=lambda it: _quoted(str(it))
    )


def public_url() -> Kind[str]:
    """The base URL of a server; kept without a trailing slash."""

    def read(value: object) -> str:
        parts = _http_url(value)
        if "@" in parts.netloc or "?" in _text(value) or "#" in _text(value):
            raise ValueError("the URL has more than scheme, host, port and path")
        return _text(value).rstrip("/")

    allowed = 'an http or https URL such as "https://example.com/webhooks"'
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def https_url() -> Kind[str]:
    """A URL for browsers; it contains nothing that needs escaping in HTML or in a style sheet."""

    def read(value: object) -> str:
        parts = _http_url(value)
        if parts.scheme != "https" or "@" in parts.netloc or not _PLAIN_URL.fullmatch(_text(value)):
            raise ValueError("this is not a URL of that form")
        return _text(value)

    allowed = 'an https URL such as "https://www.example.com/logo.svg", of letters, digits and ._~:/?#@!$&+=%-'
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def proxy_url() -> Kind[str]:
    """The URL of an HTTP proxy; a user and a password in it are never shown."""

    def read(value: object) -> str:
        parts = _http_url(value)
        if parts.path not in {"", "/"} or "?" in _text(value) or "#" in _text(value):
            raise ValueError("the URL of a proxy has no path")
        return _text(value).rstrip("/")

    def show(value: str) -> str:
        return _quoted(re.sub(r"//.*@", f"//{_MASK}@", value))

    allowed = 'an http or https URL of host and port, such as "http://user:password@proxy.example.com:3128"'
    return Kind(allowed=allowed, read=read, show=show, textual=True, hidden=True)


def ca_file() -> Kind[str]:
    """The path of a PEM file with CA certificates."""

    def read(value: object) -> str:
        path = _text(value)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except ssl.SSLError:
            raise ValueError("there is no certificate in PEM form in this file, or one that is damaged") from None
        except OSError as error:
            raise ValueError(f"this file cannot be read: {error.strerror or error}") from None
        return path

    allowed = "the path of a file with one or more certificates (-----BEGIN CERTIFICATE-----)"
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def _http_url(value: object) -> SplitResult:
    text = _text(value)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its message may quote a password in the URL
        raise ValueError("this is not a URL of that form") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _URL.fullmatch(text):
        raise ValueError("this is not a URL of that form")
    if port == 0:
        raise ValueError("port 0 cannot be reached")
    return parts


# Databases.


def database_url(database: str | os.PathLike[str]) -> str:
    """The URL of an SQLite file given by its path; a URL is returned as it is. Raises ``ValueError`` for any other."""
    text = os.fspath(database)
    if isinstance(database, str) and is_on_a_server(text):
        return _server_url(text)
    path = text.removeprefix(_SQLITE)
    if text.startswith("sqlite://") and not text.startswith(_SQLITE):
        raise ValueError(f'an SQLite URL begins with three slashes ("{_SQLITE}webhooks.db"), or four before /')
    if path == ":memory:" or not path:
        raise ValueError("deliveries must survive a crash, so the database is a file")
    if _OTHER_DATABASE.match(path):
        raise ValueError("the database is an SQLite file or on a PostgreSQL server")
    if "?" in path or "\0" in path:
        raise ValueError("neither the path nor options in it may have ? or NUL")
    if path.endswith("/"):
        raise ValueError("this is a directory")
    return _SQLITE + path


def database_path(url: str) -> Path:
    """The file of a URL from :func:`database_url`."""
    return Path(url.removeprefix(_SQLITE))


def sqlite_url() -> Kind[str]:
    """The URL of an SQLite file, or its ``Path``."""

    def read(value: object) -> str:
        if isinstance(value, os.PathLike):
            return database_url(value)
        url = database_url(_text(value))
        if url != value:
            raise ValueError(f"this is not a URL; write {_quoted(url)}")
        return url

    allowed = f'"{_SQLITE}relative/path.db" or "{_SQLITE}/absolute/path.db"'
    return Kind(allowed=allowed, read=read, show=_quoted, textual=True)


def is_on_a_server(url: str) -> bool:
    """Whether the engine's database is on a PostgreSQL server, rather than a file."""
    return url.startswith(_POSTGRESQL)


def store_url() -> Kind[str]:
    """The URL of an engine's database: an SQLite file or PostgreSQL. A password in it is never shown."""
    files = sqlite_url()

    def read(value: object) -> str:
        if isinstance(value, os.PathLike) or not is_on_a_server(_text(value)):
            return files.read(value)
        return _server_url(_text(value))

    allowed = f'{files.allowed}, or "postgresql://user:password@host/database"'
    return Kind(allowed=allowed, read=read, show=_quoted_without_passwords, textual=True, hidden=True)


def source_url() -> Kind[str]:
    """The URL of a database whose outbox is watched; a password in it is never shown."""
    files = sqlite_url()

    def read(value: object) -> str:
        if isinstance(value, os.PathLike) or not _SERVER_DATABASE.match(_text(value)):
            return files.read(value)
        return _server_url(_text(value))

    allowed = f'{files.allowed}, "postgresql://user:password@host/database" or "mysql://user:password@host/database"'
    return Kind(allowed=allowed, read=read, show=_quoted_without_passwords, textual=True, hidden=True)


def _server_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        # Only PostgreSQL supports several hosts, each with a port.
        if "," not in parts.netloc:
            _ = parts.port
    except ValueError:  # its message may quote a password in the URL
        raise ValueError("this is not a URL of that form") from None
    # A service is a named entry in a file of libpq, which provides everything omitted here.
    if not parts.path.strip("/") and not {"dbname", "database", "service"} & dict(parse_qsl(parts.query)).keys():
        raise ValueError("the URL names no database")
    return text


def _quoted_without_passwords(text: str) -> str:
    return without_passwords(_quoted(text))


def without_passwords(text: str) -> str:
    """The text with the passwords of the URLs in it masked."""
    text = re.sub(r"//([^:/@\"\s]*):[^\"\s]*@", rf"//\1:{_MASK}@", text)
    return re.sub(r"([?&](?:ssl)?password=)[^&\"\s]*", rf"\1{_MASK}", text)


# Kinds made of other kinds.


def optional(kind: Kind[T]) -> Kind[T | None]:
    """A value or none; an empty string means none, since neither TOML nor the environment has a null."""
    return Kind(
        allowed=kind.allowed + ', or "" for none',
        read=lambda value: None if value is None or value == "" else kind.read(value),
        show=lambda value: '""' if value is None else kind.show(value),
        textual=kind.textual,
        hidden=kind.hidden,
    )


def list_of(kind: Kind[T], *, at_least: int = 0, at_most: int = 1000, distinct: bool = False) -> Kind[tuple[T, ...]]:
    """A list of values of one kind."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise _wrong_type(value)
        if not at_least <= len(value) <= at_most:
            raise ValueError(f"the list has {len(value)} items")
        items = []
        for position, item in enumerate(value, start=1):
            try:
                items.append(kind.read(item))
            except ValueError as error:
                shown = without_passwords(literal(item)) if kind.hidden else literal(item)
                raise ValueError(f"item {position}, {shown}: {error}") from None
        if distinct and len(set(items)) < len(items):
            raise ValueError("an item is repeated")
        return tuple(items)

    least = f"at least {at_least} and " if at_least else ""
    different = " different" if distinct else ""
    return Kind(
        allowed=f"a list of {least}at most {at_most}{different} items, each of them {kind.allowed}",
        read=read,
        show=lambda value: f"[{', '.join(map(kind.show, value))}]",
        hidden=kind.hidden,
    )


def literal(value: object) -> str:
    """Any value as TOML, shortened, for quoting in an error."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = _quoted(value)
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(literal, value))}]"
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= 100 else text[:100] + "…"


def _quoted(text: str) -> str:
    # JSON strings are valid TOML, except for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value)
    # An environment variable may hold any bytes; those that are not UTF-8 are decoded to lone surrogates.
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("this is not UTF-8 text")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(value)
    return value


def _wrong_type(value: object) -> ValueError:
    name = "a table" if isinstance(value, Mapping) else _TYPES.get(type(value), f"a {type(value).__name__}")
    return ValueError(f"this is {name}")


Measure = TypeVar("Measure", int, float, timedelta)


def _within(value: Measure, low: Measure, high: Measure) -> Measure:
    if value < low:
        raise ValueError("this is too small")
    if value > high:
        raise ValueError("this is too large")
    return value
