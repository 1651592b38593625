"""Sends e-mails over SMTP (RFC 5321) with TLS (RFC 8314, RFC 3207)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib
import msgspec

from webhook_engine.clock import Clock, to_datetime
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.mail.letters import LetterLinks, letter_of
from webhook_engine.delivery.mail.settings import MailSettings
from webhook_engine.delivery.troubles import Lack
from webhook_engine.log import get_logger

__all__ = ["Mailer"]

log = get_logger("mail")

AT_ONCE = 4
"""E-mails sent concurrently; many mail servers limit the connections of a client."""


class Mailer:
    """Sends e-mails. ``links`` gives the links of an alert by its application and endpoint."""

    def __init__(self, settings: MailSettings, clock: Clock, links: Callable[[str, str], LetterLinks]) -> None:
        self._settings = settings
        self._clock = clock
        self._links = links
        self._places: asyncio.Semaphore | None = None
        """Made on first use, since it belongs to the event loop of one run of the engine."""

    async def send(
        self, to: str, application_id: str, endpoint_id: str, message_id: str, payload: bytes, now: int
    ) -> Response:
        """Send a message to an address; returns the mail server's reply as the response.

        If the server cannot be reached, or refuses this engine, that is the engine's own trouble, not a failure of the
        recipient.
        """
        links = self._links(application_id, endpoint_id)
        try:
            written = self._written(to, links, message_id, payload, now)
        except ValueError as error:
            return Response(0, str(error), FailureKind.PROTOCOL, 0, sent=False)
        if self._places is None:
            self._places = asyncio.Semaphore(AT_ONCE)
        began = self._clock.monotonic()
        async with self._places:
            response = await self._hand_over(written)
        return msgspec.structs.replace(response, duration_ms=int((self._clock.monotonic() - began) * 1_000))

    def close(self) -> None:
        """Reset after the last e-mail; another event loop may follow."""
        self._places = None

    def _written(self, to: str, links: LetterLinks, message_id: str, payload: bytes, now: int) -> EmailMessage:
        letter = letter_of(payload, links, self._settings.template)
        written = EmailMessage()
        written["From"] = self._settings.sender
        written["To"] = to
        written["Subject"] = letter.subject
        written["Date"] = format_datetime(to_datetime(now))
        # The same on every retry, so that mailboxes can deduplicate.
        written["Message-ID"] = f"<{message_id}@{parseaddr(self._settings.sender)[1].partition('@')[2]}>"
        written["Auto-Submitted"] = "auto-generated"
        if links.unsubscribe is not None:  # one click, RFC 8058
            written["List-Unsubscribe"] = f"<{links.unsubscribe}>"
            written["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        written.set_content(letter.text)
        return written

    async def _hand_over(self, written: EmailMessage) -> Response:
        settings = self._settings
        server = f"the mail server {settings.host}:{settings.port}"
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=None if settings.username is None else settings.password or "",
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            timeout=None,
        )
        response: Response | None = None
        try:
            # One timeout for everything, so that a server cannot extend it with slow replies.
            async with asyncio.timeout(settings.timeout_s):
                # Loading the authorities takes tens of milliseconds, for which the event loop must not be blocked.
                plain = settings.security == "none"
                context = None if plain else await asyncio.to_thread(_trusting, settings.ca_file)
                await client.connect(tls_context=context)
                response = await _sent(client, written)
                await client.quit()
        except TimeoutError:
            trouble = f"{server} does not come to an end within {settings.timeout_s:g} s"
        except aiosmtplib.SMTPResponseException as error:
            trouble = f"{server} cannot be used: {error.code} {_readable(error.message)}"
        except OSError as error:
            trouble = f"{server} cannot be reached: {str(error) or type(error).__name__}"
        except (aiosmtplib.SMTPException, ValueError) as error:
            trouble = f"{server} cannot be used: {error}"
        finally:
            client.close()
        # An accepted e-mail stays accepted, even if closing the session fails.
        return response or _not_sent(trouble)


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def _sent(client: aiosmtplib.SMTP, written: EmailMessage) -> Response:
    """Send an e-mail; returns the server's reply. Raises ``SMTPException`` if it refuses us, not the recipient."""
    try:
        await client.send_message(written)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        [said] = refused.recipients
        return _refused(said)
    except aiosmtplib.SMTPDataError as refused:
        return _refused(refused)
    return Response(250, "accepted by the mail server", None, 0)


def _refused(said: aiosmtplib.SMTPResponseException) -> Response:
    return Response(said.code, _readable(said.message), FailureKind.STATUS, 0)


def _readable(text: str) -> str:
    """Replace surrogates, which stand for bytes that are not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _not_sent(text: str) -> Response:
    log.warning("mail.not_sent", error=text)
    return Response(0, text, FailureKind.OWN, 0, lack=Lack.MAIL, sent=False)
