"""Sends letters to the mail server, by SMTP (RFC 5321) with TLS (RFC 8314, RFC 3207).

The standard library's client blocks, so it runs in a few threads of its own; a server that hangs holds up nothing else.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Literal

import msgspec

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.mail.letters import DEFAULT_TEMPLATE, LetterLinks, letter_of
from webhook_engine.delivery.troubles import Lack
from webhook_engine.log import get_logger

__all__ = ["MailSettings", "Mailer"]

log = get_logger("mail")

AT_ONCE = 4
"""Letters on their way; mail servers take no more from one client gladly."""


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server, and who the letters are from."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    username: str | None = None
    password: str | None = None
    template: str = DEFAULT_TEMPLATE
    timeout_s: float = 15.0
    ca_file: str | None = None


class Mailer:
    """Sends letters. ``links`` gives those of an alert by its application and endpoint."""

    def __init__(self, settings: MailSettings, clock: Clock, links: Callable[[str, str], LetterLinks]) -> None:
        self._settings = settings
        self._clock = clock
        self._links = links
        self._threads: ThreadPoolExecutor | None = None

    async def send(
        self, to: str, application_id: str, endpoint_id: str, message_id: str, payload: bytes, now: int
    ) -> Response:
        """Send what a message tells to an address. What the mail server says becomes the response.

        That it cannot be reached, or refuses this engine, is the engine's own trouble and not the reader's failure.
        """
        links = self._links(application_id, endpoint_id)
        try:
            written = self._written(to, links, message_id, payload, now)
        except ValueError as error:
            return Response(0, str(error), FailureKind.PROTOCOL, 0, sent=False)
        began = self._clock.monotonic()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook-engine-mail")
        response = await asyncio.get_running_loop().run_in_executor(self._threads, self._hand_over, written)
        return msgspec.structs.replace(response, duration_ms=int((self._clock.monotonic() - began) * 1_000))

    async def close(self) -> None:
        """Wait for what is on its way."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    def _written(self, to: str, links: LetterLinks, message_id: str, payload: bytes, now: int) -> EmailMessage:
        letter = letter_of(payload, links, self._settings.template)
        written = EmailMessage()
        written["From"] = self._settings.sender
        written["To"] = to
        written["Subject"] = letter.subject
        written["Date"] = format_datetime(to_datetime(now))
        # The same on every repeat, so that a mailbox can tell.
        written["Message-ID"] = f"<{message_id}@{parseaddr(self._settings.sender)[1].partition('@')[2]}>"
        written["Auto-Submitted"] = "auto-generated"
        if links.unsubscribe is not None:  # one click, RFC 8058
            written["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            written["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        written.set_content(letter.text)
        return written

    def _hand_over(self, written: EmailMessage) -> Response:
        settings = self._settings
        server = f"{settings.host}:{settings.port}"
        try:
            client = self._connected()
            try:
                return _sent(client, written)
            finally:
                # What was accepted stays so, however the server takes its leave.
                with suppress(smtplib.SMTPException, OSError, ValueError):
                    client.quit()
                client.close()
        except smtplib.SMTPException as error:
            return _not_sent(f"the mail server {server} cannot be used: {error}")
        except OSError as error:
            return _not_sent(f"the mail server {server} cannot be reached: {error or type(error).__name__}")
        except ValueError as error:
            return _not_sent(f"the mail server {server} says what nobody understands: {error}")

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context()
        if settings.ca_file is not None:
            context.load_verify_locations(settings.ca_file)
        if settings.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_s, context=context
            )
        else:
            client = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        try:
            if settings.security == "starttls":
                client.starttls(context=context)
            if settings.username is not None:
                client.login(settings.username, settings.password or "")
        except BaseException:
            client.close()
            raise
        return client


def _sent(client: smtplib.SMTP, written: EmailMessage) -> Response:
    """What the server says of a letter; raises ``SMTPException`` where it refuses us, and not the reader."""
    try:
        client.send_message(written)
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, text)] = refused.recipients.values()
        return _refused(code, text)
    except smtplib.SMTPDataError as refused:
        return _refused(refused.smtp_code, refused.smtp_error)
    return Response(250, "accepted by the mail server", None, 0)


def _refused(code: int, text: bytes | str) -> Response:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return Response(code, said, FailureKind.STATUS, 0)


def _not_sent(text: str) -> Response:
    log.warning("mail.not_sent", error=text)
    return Response(0, text, FailureKind.OWN, 0, lack=Lack.MAIL, sent=False)
