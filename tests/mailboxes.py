"""A real mail server in the test: it keeps the letters that it takes, and refuses what the test says."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """Takes letters at ``127.0.0.1:port``; ``refuse`` answers recipients, such as ``"550 no such user"``."""

    def __init__(self, *, context: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.letters: list[EmailMessage] = []
        self.refuse: str | None = None
        self.port = 0
        self._context = context
        self._login = login
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"hostname": "localhost", "tls_context": self._context}
        if self._login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop, **options), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def settings(self) -> dict[str, object]:
        """Those of an engine that uses it."""
        return {"alerts__smtp_host": "localhost", "alerts__smtp_port": self.port, "alerts__smtp_security": "none",
                "alerts__sender": "Webhooks <webhooks@example.com>"}  # fmt: skip

    def to(self, address: str) -> list[EmailMessage]:
        """The letters to an address."""
        return [letter for letter in self.letters if letter["to"] == address]

    # What the server asks of its handler.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        letter = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 taken"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._login, handled=False)
