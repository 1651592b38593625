"""TLS contexts: the trusted authorities, and client certificates."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import tempfile
from functools import cache

__all__ = ["Identity", "client_context"]


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """A context that trusts the system's certificate authorities, and those in a PEM file.

    Raises ``OSError`` if the file cannot be read, ``ssl.SSLError`` (an ``OSError`` too) if it holds no certificate.
    """
    return _trusting_the_system() if ca_file is None else _made(ca_file)


class Identity:
    """The TLS settings for one receiver: our client certificate, and authorities trusted instead of the default ones.

    Identities with the same certificates are equal, and connections are only shared among equal ones. The context is
    built on the first connection.
    """

    __slots__ = ("_authorities", "_certificate", "_context", "_digest", "_key", "_making")

    def __init__(self, *, certificate: str | None, key: str | None, authorities: str | None) -> None:
        """All in PEM. Without ``authorities``, the default ones are trusted."""
        self._certificate = certificate
        self._key = key
        self._authorities = authorities
        parts = (certificate or "", key or "", authorities or "")
        self._digest = hashlib.sha256(b"\0".join(part.encode() for part in parts)).digest()
        self._context: ssl.SSLContext | None = None
        self._making: asyncio.Future[ssl.SSLContext] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"<Identity {self._digest[:4].hex()}>"

    async def context(self, ca_file: str | None) -> ssl.SSLContext:
        """The context for connections. ``ca_file`` has further authorities that are trusted for all receivers.

        Raises ``OSError`` if it cannot be read, and ``ValueError`` or ``ssl.SSLError`` if certificates are invalid.
        """
        if self._context is None:
            # Loading keys and authorities takes tens of milliseconds, for which the event loop must not be blocked.
            if self._making is None:
                self._making = asyncio.ensure_future(asyncio.to_thread(self._make, ca_file))
            try:
                self._context = await asyncio.shield(self._making)
            finally:
                if self._making is not None and self._making.done():
                    self._making = None
        return self._context

    def _make(self, ca_file: str | None) -> ssl.SSLContext:
        if self._authorities is None:
            context = _made(ca_file)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(cadata=self._authorities)
            context.set_alpn_protocols(["http/1.1"])
        if self._certificate is not None and self._key is not None:
            _load(context, self._certificate, self._key)
        return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate into a context. It only takes files, so the key is written encrypted."""
    from webhook_engine.secrets.certificates import locked_key  # noqa: PLC0415 (few receivers ask for a certificate)

    locked, password = locked_key(key)
    descriptor, path = tempfile.mkstemp(prefix="webhook-engine-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.encode() + b"\n" + locked)
        context.load_cert_chain(path, password=password)
    finally:
        os.unlink(path)


@cache
def _trusting_the_system() -> ssl.SSLContext:
    """One context for all engines of a process, since loading the system's authorities takes tens of milliseconds."""
    return _made(None)


def _made(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
