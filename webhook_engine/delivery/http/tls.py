"""What certificates of receivers are checked against."""

from __future__ import annotations

import ssl

__all__ = ["client_context"]


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trusts the certificate authorities of the system, and those in a PEM file beside them.

    Raises ``OSError`` if the file cannot be read, ``ssl.SSLError`` (an ``OSError`` too) if it holds no certificate.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
