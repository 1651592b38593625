"""Certificates and handshakes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import receivers
import trustme
from delivery.http.sending import HEADERS, LIMIT, exchange, make_sender, send
from names import Names
from yarl import URL

from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.http.tls import Identity


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
    assert time.monotonic() - started < 5


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


# Certificates of an endpoint's own.


def _identity(issuer: trustme.CA, name: str = "client.example", authorities: bool = True) -> Identity:
    issued = issuer.issue_cert(name)
    return Identity(
        certificate="".join(blob.bytes().decode() for blob in issued.cert_chain_pems),
        key=issued.private_key_pem.bytes().decode(),
        authorities=receivers.authority().cert_pem.bytes().decode() if authorities else None,
    )


async def _send_as(sender: Sender, url: str, identity: Identity | None) -> Response:
    return await sender.send(Destination(URL(url), HEADERS, identity=identity), "", b"{}")


async def test_a_receiver_that_asks_for_a_certificate_gets_that_of_the_endpoint() -> None:
    issuer = trustme.CA()
    async with receivers.asking_for_certificates(issuer) as receiver, make_sender() as sender:
        answer = await _send_as(sender, receiver.url, _identity(issuer))
        assert (answer.status_code, answer.text) == (200, "client.example")
        refused = await _send_as(sender, receiver.url, _identity(trustme.CA()))
        without = await _send_as(sender, receiver.url, Identity(certificate=None, key=None, authorities=_AUTHORITY))
        for answer in (refused, without):
            # Since TLS 1.3 a client's handshake is over before the server has looked at its certificate.
            assert answer.status_code == 0
            assert answer.failure in (FailureKind.TLS, FailureKind.CONNECT)
        assert len(receiver.requests) == 1


async def test_a_connection_of_one_identity_is_used_for_no_other() -> None:
    issuer = trustme.CA()
    one, other = _identity(issuer, "one.example"), _identity(issuer, "other.example")
    same = Identity(certificate=one._certificate, key=one._key, authorities=one._authorities)
    async with receivers.asking_for_certificates(issuer) as receiver, make_sender() as sender:
        said = [(await _send_as(sender, receiver.url, who)).text for who in (one, other, one, same, other)]
        assert said == ["one.example", "other.example", "one.example", "one.example", "other.example"]
        assert receiver.connections == 2


async def test_authorities_of_its_own_are_trusted_by_the_endpoint_alone_and_in_place_of_all_others() -> None:
    own = Identity(certificate=None, key=None, authorities=_AUTHORITY)
    elsewhere = Identity(certificate=None, key=None, authorities=trustme.CA().cert_pem.bytes().decode())
    async with receivers.tls() as receiver, make_sender(ssl_context=receivers.trusting()) as sender:
        assert (await _send_as(sender, receiver.url, elsewhere)).failure is FailureKind.TLS
        assert (await _send_as(sender, receiver.url, None)).status_code == 200
    async with receivers.tls() as receiver, make_sender() as sender:
        assert (await _send_as(sender, receiver.url, own)).status_code == 200
        assert (await _send_as(sender, receiver.url, None)).failure is FailureKind.TLS


async def test_a_certificate_goes_through_the_tunnel_of_a_proxy() -> None:
    issuer = trustme.CA()
    async with (
        receivers.asking_for_certificates(issuer) as receiver,
        receivers.proxy() as proxy,
        make_sender(proxy=proxy.url) as sender,
    ):
        answer = await _send_as(sender, receiver.url, _identity(issuer))
    assert (answer.status_code, answer.text) == (200, "client.example")


async def test_certificates_are_read_off_the_event_loop_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, threads = trustme.CA(), []
    identity, make = _identity(issuer), Identity._make

    def noted(self: Identity, ca_file: str | None) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return make(self, ca_file)

    monkeypatch.setattr(Identity, "_make", noted)
    async with receivers.asking_for_certificates(issuer) as receiver, make_sender() as sender:
        answers = await asyncio.gather(*(_send_as(sender, receiver.url, identity) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_certificates_that_cannot_be_used_are_a_failed_attempt_and_leave_no_file(tmp_path: Path) -> None:
    issuer = trustme.CA()
    good = _identity(issuer)
    broken = Identity(certificate="nothing", key=good._key, authorities=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path))
        async with receivers.asking_for_certificates(issuer) as receiver, make_sender() as sender:
            answer = await _send_as(sender, receiver.url, broken)
            assert answer.failure is FailureKind.TLS
            assert "the endpoint's own certificates cannot be used" in answer.text
            assert (await _send_as(sender, receiver.url, good)).status_code == 200
    assert list(tmp_path.iterdir()) == []


_AUTHORITY = receivers.authority().cert_pem.bytes().decode()
