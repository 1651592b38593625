"""Letters reach a real mail server, encrypted and with credentials where it wants that."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme
from mailboxes import Mailbox

from webhook_engine import Clock
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.mail.letters import LetterLinks
from webhook_engine.delivery.mail.mailer import AT_ONCE, Mailer
from webhook_engine.delivery.mail.settings import MailSettings
from webhook_engine.delivery.troubles import Lack

PAYLOAD = b'{"type":"endpoint.failing","data":{"endpointUrl":"https://example.com/\\n","appName":"\xc3\x84cme"}}'


def mailer_for(mailbox: Mailbox | int, **settings: object) -> Mailer:
    made = MailSettings(
        **{  # type: ignore[arg-type]
            "host": "localhost",
            "port": mailbox if isinstance(mailbox, int) else mailbox.port,
            "security": "none",
            "sender": "Webhooks <webhooks@example.com>",
            "timeout_s": 5.0,
            **settings,
        }
    )
    return Mailer(made, Clock(), lambda *_: LetterLinks(unsubscribe="https://hooks.example.com/u"))


async def send(mailbox: Mailbox | int, **settings: object) -> Response:
    mailer = mailer_for(mailbox, **settings)
    return await mailer.send("ops@example.com", "app_1", "ep_1", "msg_1", PAYLOAD, 1_780_000_000_000_000)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[ssl.SSLContext, str]]:
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("localhost").configure_cert(context)
    with made.cert_pem.tempfile(dir=str(tmp_path)) as file:
        yield context, file


async def test_a_letter_is_taken_as_it_was_written() -> None:
    async with Mailbox() as mailbox:
        response = await send(mailbox)
        assert (response.status_code, response.failure) == (250, None)
    [letter] = mailbox.letters
    assert letter["to"] == "ops@example.com"
    assert letter["subject"] == "Failing: https://example.com/ of Äcme"
    assert letter["message-id"] == "<msg_1@example.com>"
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["list-unsubscribe"] == "<https://hooks.example.com/u>"


async def test_starttls_and_a_login(authority: tuple[ssl.SSLContext, str]) -> None:
    context, file = authority
    async with Mailbox(context=context, login=("hooks", "secret")) as mailbox:
        response = await send(mailbox, security="starttls", ca_file=file, username="hooks", password="secret")
        assert response.failure is None
        refused = await send(mailbox, security="starttls", ca_file=file, username="hooks", password="wrong")
        assert (refused.failure, refused.lack) == (FailureKind.OWN, Lack.MAIL)
        assert "535" in refused.text
        assert "wrong" not in refused.text
    assert len(mailbox.letters) == 1


async def test_a_certificate_that_nobody_vouches_for_is_not_taken(authority: tuple[ssl.SSLContext, str]) -> None:
    async with Mailbox(context=authority[0]) as mailbox:
        response = await send(mailbox, security="starttls")
    assert (response.failure, response.lack) == (FailureKind.OWN, Lack.MAIL)
    assert "CERTIFICATE_VERIFY_FAILED" in response.text
    assert mailbox.letters == []


@pytest.mark.parametrize(
    ("refuse", "code", "text"), [("550 no such user", 550, "no such user"), ("451 later", 451, "later")]
)
async def test_what_the_server_says_of_an_address_is_the_response(refuse: str, code: int, text: str) -> None:
    async with Mailbox() as mailbox:
        mailbox.refuse = refuse
        response = await send(mailbox)
    assert (response.status_code, response.text, response.failure) == (code, text, FailureKind.STATUS)


async def test_a_server_that_is_not_there_is_our_own_trouble() -> None:
    async with Mailbox() as mailbox:
        pass
    response = await send(mailbox)
    assert (response.failure, response.lack, response.sent) == (FailureKind.OWN, Lack.MAIL, False)
    assert f"localhost:{mailbox.port}" in response.text


@asynccontextmanager
async def serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A mail server made by hand, at the port that comes out; the end waits until it has served everybody."""
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await handle(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*(task for task in served if task is not None)), 10)


HELLO = "220 localhost"
TAKEN = ["250 localhost", "250 OK", "250 OK", "354 go on", "250 taken"]
"""The answers to EHLO, MAIL, RCPT and DATA, and to the letter itself."""


async def said_by(*answers: str) -> tuple[Response, list[str]]:
    """What comes of a letter to a server that gives these answers, and then goes away; and what it was told."""
    told: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        in_letter = False
        for answer in answers:
            writer.write(answer.encode("latin-1") + b"\r\n")
            await writer.drain()
            while line := (await reader.readline()).decode():
                if not in_letter:
                    told.append(line.split()[0].lower())
                if not in_letter or line == ".\r\n":
                    break
            in_letter = answer.startswith("354") or (in_letter and line != ".\r\n")

    async with serving(serve) as port:
        response = await send(port, timeout_s=0.5)
    return response, told


@pytest.mark.parametrize("leave", ["421 closing", "nonsense", "221 bye", None])
async def test_a_letter_that_was_taken_is_sent_however_the_server_takes_its_leave(leave: str | None) -> None:
    response, told = await said_by(HELLO, *TAKEN, *([] if leave is None else [leave]))
    assert (response.status_code, response.failure) == (250, None)
    assert told[:4] == ["ehlo", "mail", "rcpt", "data"]


@pytest.mark.parametrize(
    "answers",
    [
        [],
        ["554 not you"],
        ["\x00\xff rubbish"],
        ["220 " + "x" * 10_000],
        [HELLO, "250 localhost", "530 log in first"],
        *([HELLO, *TAKEN[:count]] for count in range(len(TAKEN))),
    ],
)
async def test_a_server_that_goes_away_or_talks_nonsense_is_our_own_trouble(answers: list[str]) -> None:
    response, _ = await said_by(*answers)
    assert (response.failure, response.lack, response.sent) == (FailureKind.OWN, Lack.MAIL, False)


@pytest.mark.parametrize("place", [2, 3, 4])
async def test_what_it_says_of_the_reader_or_the_letter_is_the_response(place: int) -> None:
    answers = [HELLO, *TAKEN]
    answers[place + 1] = "552 too large"
    response, _ = await said_by(*answers[: place + 2], "221 bye")
    assert (response.status_code, response.text, response.failure) == (552, "too large", FailureKind.STATUS)


async def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    response, _ = await said_by(HELLO, *TAKEN[:2], "550 n\xe9e", "221 bye")
    assert (response.status_code, response.text, response.failure) == (
        550,
        "n\N{REPLACEMENT CHARACTER}e",
        FailureKind.STATUS,
    )
    response, _ = await said_by(HELLO, TAKEN[0], "550 n\xe9e", "221 bye")
    assert (response.failure, "550 n\N{REPLACEMENT CHARACTER}e" in response.text) == (FailureKind.OWN, True)


@pytest.mark.parametrize(
    ("answers", "taken"),
    [([], False), ([HELLO], False), ([HELLO, *TAKEN[:4]], False), ([HELLO, *TAKEN], True)],
    ids=["at its greeting", "at ours", "when it has the letter", "when it takes its leave"],
)
async def test_a_server_that_never_comes_to_the_end_of_what_it_says_is_left(answers: list[str], taken: bool) -> None:
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(f"{answer}\r\n".encode())
            # All of the letter goes with one answer.
            await reader.readuntil(b"\r\n.\r\n" if answer.startswith("354") else b"\r\n")
        code = {0: 220, len(TAKEN) + 1: 221}.get(len(answers), 250)
        try:
            for _ in range(1_000):
                writer.write(f"{code}-wait\r\n".encode())
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            left.set()

    async with serving(serve) as port:
        response = await send(port, timeout_s=0.3)
        await asyncio.wait_for(left.wait(), 10)
    if taken:
        assert (response.status_code, response.failure) == (250, None)
    else:
        assert (response.failure, response.lack, response.sent) == (FailureKind.OWN, Lack.MAIL, False)
        assert "within 0.3 s" in response.text


async def test_letters_beyond_the_few_at_once_wait_for_their_turn() -> None:
    open_now, most = 0, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now, most = open_now + 1, max(most, open_now + 1)
        await reader.read()
        open_now -= 1

    async with serving(serve) as port:
        mailer = mailer_for(port, timeout_s=0.2)
        letters = [mailer.send("ops@example.com", "app_1", "ep_1", "msg_1", PAYLOAD, 0) for _ in range(3 * AT_ONCE)]
        responses = await asyncio.wait_for(asyncio.gather(*letters), 30)
    assert {response.lack for response in responses} == {Lack.MAIL}
    assert most == AT_ONCE
