"""Settings of the mail server."""

from __future__ import annotations

from typing import Literal

import msgspec

from webhook_engine.delivery.mail.letters import DEFAULT_TEMPLATE

__all__ = ["MailSettings"]


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server, and the sender of the e-mails."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    username: str | None = None
    password: str | None = None
    template: str = DEFAULT_TEMPLATE
    timeout_s: float = 15.0
    """Timeout in seconds for one e-mail, from connecting to closing the session."""
    ca_file: str | None = None
