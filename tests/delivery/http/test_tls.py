"""Certificates and handshakes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest
import receivers
from delivery.http.sending import LIMIT, exchange, make_sender, send
from names import Names

from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get local issuer certificate"),
        ("wrong host", "certificate is not valid for '127.0.0.1'"),
    ],
)
async def test_a_bad_certificate_says_why(certificate: str, words: str) -> None:
    receiver = receivers.tls(certificate)
    answer = await exchange(receiver, ssl_context=receivers.trusting())
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert words in answer.text
    assert receiver.requests == []


async def test_certificates_are_verified_unless_told_otherwise() -> None:
    answer = await exchange(receivers.tls())
    assert answer.failure is FailureKind.TLS


async def test_a_good_certificate_is_accepted() -> None:
    answer = await exchange(receivers.tls(), ssl_context=receivers.trusting())
    assert (answer.status_code, answer.text, answer.failure) == (200, "ok", None)


async def test_an_authority_of_ones_own_is_trusted_beside_those_of_the_system(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    receivers.authority().cert_pem.write_to_path(str(ca_file))
    answer = await exchange(receivers.tls(), ca_file=str(ca_file))
    assert (answer.status_code, answer.failure) == (200, None)
    answer = await exchange(receivers.tls("unknown"), ca_file=str(ca_file))
    assert answer.failure is FailureKind.TLS


@pytest.mark.parametrize("reset", [True, False])
async def test_a_connection_that_ends_within_the_handshake_is_called_tls(sender: Sender, reset: bool) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if reset:
            receivers.reset_connection(writer)
        else:
            writer.close()

    async with await asyncio.start_server(end, "127.0.0.1") as server:
        answer = await send(sender, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert "during the handshake; its TLS may be older than 1.2" in answer.text
    assert "ConnectionResetError" not in answer.text


async def test_a_server_that_wants_a_certificate_of_ours_is_called_tls() -> None:
    context = receivers.tls()._tls_context
    assert context
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secure:
            with suppress(ssl.SSLError):
                secure.do_handshake()  # which ends with an alert
            while socket.socket.recv(secure, 65_536):  # what is not read would make the end a reset
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(serve, listening))
        async with make_sender(ssl_context=receivers.trusting()) as sender:
            answer = await send(sender, f"https://127.0.0.1:{listening.getsockname()[1]}/")
        await serving
    assert (answer.status_code, answer.failure) == (0, FailureKind.TLS)
    assert "certificate required" in answer.text


async def test_tls_with_what_does_not_speak_it(sender: Sender) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1") as server:
        answer = await send(sender, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert answer.failure is FailureKind.TLS
    assert "wrong version number" in answer.text or "record layer failure" in answer.text


async def test_a_tls_connection_is_dropped_without_ceremony() -> None:
    receiver = receivers.tls(behaviour=receivers.endless_body().behaviour)
    async with receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        answer = await send(sender, receiver.url)
        assert (answer.status_code, answer.failure, answer.text) == (200, None, "x" * LIMIT)
        started = time.monotonic()
    assert time.monotonic() - started < 1


def test_the_context_of_the_tests_trusts_nobody_else() -> None:
    assert receivers.trusting().verify_mode is ssl.CERT_REQUIRED


async def test_a_name_is_what_the_certificate_is_checked_against_and_what_the_server_is_told(names: Names) -> None:
    told: list[str | None] = []
    names.table |= {name: ["127.0.0.1"] for name in ("localhost", "localhost.", "elsewhere.example")}
    async with receivers.tls() as receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        assert receiver._tls_context
        receiver._tls_context.sni_callback = lambda _socket, name, _context: told.append(name)
        for host in ("localhost", "localhost."):
            assert (await send(sender, f"https://{host}:{receiver.port}/")).failure is None
        wrong = await send(sender, f"https://elsewhere.example:{receiver.port}/")
    assert told == ["localhost", "localhost", "elsewhere.example"]
    assert wrong.failure is FailureKind.TLS
    assert "not valid for 'elsewhere.example'" in wrong.text
    assert [request.headers["host"] for request in receiver.requests] == [f"localhost:{receiver.port}"] * 2
