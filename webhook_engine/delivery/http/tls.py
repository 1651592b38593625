"""What certificates of receivers are checked against."""

from __future__ import annotations

import ssl
from functools import cache

__all__ = ["client_context"]


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trusts the certificate authorities of the system, and those in a PEM file beside them.

    Raises ``OSError`` if the file cannot be read, ``ssl.SSLError`` (an ``OSError`` too) if it holds no certificate.
    """
    if ca_file is None:
        return _trusting_the_system()
    context = _made()
    context.load_verify_locations(cafile=ca_file)
    return context


@cache
def _trusting_the_system() -> ssl.SSLContext:
    """One for all engines of a process: to read the authorities of the system takes tens of milliseconds."""
    return _made()


def _made() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
