"""Local receivers of webhooks for tests: that of the testing kit, and one for each way to misbehave.

Each is an async context manager with a ``url``, the ``requests`` that came and the number of ``connections``::

    async with Receiver() as receiver:                       # answers 200 "ok" to everything
        ...
        [first, second] = await receiver.wait_for(2)         # returns as soon as the second is there
        assert first.headers["webhook-id"] == second.headers["webhook-id"]

    Receiver(500)                                            # a status
    Receiver(Reply(429, headers={"Retry-After": "7"}))       # a whole answer
    Receiver([500, 500, 200])                                # one after the other; the last one stays
    Receiver(lambda request: 200 if b"paid" in request.body else 422)
    Receiver(Reply(200, delay=0.2))                          # slow

    receiver.answer(200); receiver.behaviour = hanging().behaviour     # change it on the way

    async with hanging() as receiver: ...                    # takes the request, never answers
    async with tls("expired") as receiver: ...               # see the functions at the end
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

import trustme

from webhook_engine.testing.receiver import Behaviour, Receiver, Reply, Request, Script

__all__ = [
    "Arrivals",
    "Receiver",
    "Reply",
    "Request",
    "asking_for_certificates",
    "authority",
    "closing_after_each_answer",
    "continuing_endlessly",
    "continuing_once",
    "cutting_headers",
    "endless_body",
    "gzip_bomb",
    "hanging",
    "huge_headers",
    "invalid_utf8",
    "malformed",
    "nul_body",
    "proxy",
    "redirecting",
    "refusing",
    "reset_connection",
    "resetting",
    "resetting_within_body",
    "resetting_within_headers",
    "short_body",
    "silent",
    "switching_protocols",
    "tls",
    "trickling",
    "trusting",
]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Arrivals:
    """Answers at once, and notes when each message came."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def __call__(self, request: Request) -> int:
        self.at[request.headers["webhook-id"]] = time.perf_counter()
        return 200


def reset_connection(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _for_ever() -> None:
    await asyncio.Event().wait()


# The ways to misbehave.


@asynccontextmanager
async def refusing() -> AsyncIterator[str]:
    """The URL of a port on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # Bound, so that nobody else gets it, and not listening.
        yield f"http://127.0.0.1:{held.getsockname()[1]}/hook"


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """The URL of a port that accepts no further connection and refuses none: connecting hangs."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{full.getsockname()[1]}/hook"


def hanging() -> Receiver:
    """Takes the request and never answers."""

    async def behave(_r: Receiver, _q: Request, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await _for_ever()

    return Receiver(behaviour=behave)


def resetting() -> Receiver:
    """Resets the connection when it has read the request."""
    return _sending(b"", reset=True)


def closing_after_each_answer(*, answers: int = 1) -> Receiver:
    """Answers as if the connection stayed open, and closes it when the request after so many answers has come.

    That is what a client sees whose idle connection is closed just when it is used again.
    """

    served: dict[int, int] = {}

    async def behave(
        _r: Receiver, request: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        served[request.connection] = served.get(request.connection, 0) + 1
        if served[request.connection] > answers:
            return False
        writer.write(OK)
        return True

    return Receiver(behaviour=behave)


def cutting_headers() -> Receiver:
    """Closes the connection in the midst of the headers."""
    return _sending(b"HTTP/1.1 200 OK\r\nContent-Ty")


def resetting_within_headers() -> Receiver:
    """Resets the connection in the midst of the headers."""
    return _sending(b"HTTP/1.1 200 OK\r\nContent-Ty", reset=True)


def resetting_within_body() -> Receiver:
    """Announces 100 bytes, sends 7 and resets the connection."""
    return _sending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial", reset=True)


def short_body() -> Receiver:
    """Announces 100 bytes, sends 7 and closes the connection."""
    return _sending(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial")


def malformed(answer: bytes = b"SSH-2.0-OpenSSH_9.9\r\n\r\n") -> Receiver:
    """Answers with something that is not HTTP."""
    return _sending(answer)


def huge_headers(size: int = 1_000_000) -> Receiver:
    """Answers 200 with so many bytes of headers."""
    return _sending(b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\nok")


def trickling(interval: float = 0.02, status: int = 200) -> Receiver:
    """Sends its headers at once, and one byte of its body now and then."""
    return _repeating(f"HTTP/1.1 {status} OK\r\nContent-Length: 100000\r\n\r\n".encode(), b".", interval)


def endless_body(status: int = 200, chunk: bytes = b"x" * 65_536) -> Receiver:
    """Sends its body as fast as it can, for ever."""
    return _repeating(f"HTTP/1.1 {status} OK\r\n\r\n".encode(), chunk)


def continuing_endlessly() -> Receiver:
    """Answers ``100 Continue`` again and again."""
    return _repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)


def continuing_once() -> Receiver:
    """Answers ``100 Continue`` and then 200."""
    return _sending(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, go_on=True)


def switching_protocols() -> Receiver:
    """Answers 101 and then speaks something else."""
    return _sending(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhello", go_on=True
    )


def redirecting(to: str, status: int = 302) -> Receiver:
    """Answers with a redirect."""
    return Receiver(Reply(status, b"moved", {"Location": to}))


def gzip_bomb(size: int = 50_000_000) -> Receiver:
    """Answers with a small body that would be huge if it were decompressed."""
    return Receiver(Reply(200, gzip.compress(bytes(size)), {"Content-Encoding": "gzip"}))


def invalid_utf8() -> Receiver:
    """Answers with bytes that are no text."""
    return Receiver(Reply(200, b"\xff\xfe\x00caf\xe9"))


def nul_body() -> Receiver:
    """Answers with a NUL in its text."""
    return Receiver(Reply(200, b"a\x00b"))


def _sending(answer: bytes, *, reset: bool = False, go_on: bool = False) -> Receiver:
    async def behave(_r: Receiver, _q: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        await writer.drain()
        if reset:
            await asyncio.sleep(0.05 if answer else 0)  # Let the bytes arrive: a reset overtakes them.
            reset_connection(writer)
        return go_on

    return Receiver(behaviour=behave)


def _repeating(first: bytes, again: bytes, interval: float = 0.0) -> Receiver:
    async def behave(_r: Receiver, _q: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(interval)

    return Receiver(behaviour=behave)


def proxy(refuse: int | None = None) -> Receiver:
    """An HTTP proxy: answers plain requests itself (200), opens tunnels for CONNECT, or refuses them with a status."""

    async def behave(
        _r: Receiver, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if request.method != "CONNECT":
            writer.write(Reply(refuse, b"").encoded() if refuse else OK)
            return True
        if refuse:
            writer.write(Reply(refuse, b"").encoded())
            return False
        host, _, port = request.target.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.transport.abort()
            far_writer.close()
        return False

    return Receiver(behaviour=behave)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


# TLS.


@cache
def authority() -> trustme.CA:
    """The certificate authority of the tests."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """A client's context that trusts the authority of the tests and nothing else."""
    return ssl.create_default_context(cadata=authority().cert_pem.bytes().decode())


def tls(certificate: str = "good", script: Script = 200, *, behaviour: Behaviour | None = None) -> Receiver:
    """A receiver behind TLS; its certificate: ``good``, ``expired``, ``wrong host``, ``self-signed`` or ``unknown``."""
    now = datetime.now(UTC)
    issuer = authority() if certificate not in {"self-signed", "unknown"} else trustme.CA()
    names = ["elsewhere.example"] if certificate == "wrong host" else ["127.0.0.1", "localhost"]
    until = now - timedelta(days=1) if certificate == "expired" else now + timedelta(days=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate == "self-signed":
        with issuer.private_key_pem.tempfile() as key, issuer.cert_pem.tempfile() as chain:
            context.load_cert_chain(chain, key)
    else:
        issued = issuer.issue_cert(*names, not_before=now - timedelta(days=60), not_after=until)
        issued.configure_cert(context)
    return Receiver(script, behaviour=behaviour, tls_context=context)


def asking_for_certificates(issuer: trustme.CA) -> Receiver:
    """A receiver behind TLS that wants a certificate of this authority, and answers with the name in it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    issuer.configure_trust(context)

    async def named(_: Receiver, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        writer.write(Reply(200, certificate["subjectAltName"][0][1].encode()).encoded())
        await writer.drain()
        return True

    return Receiver(behaviour=named, tls_context=context)
