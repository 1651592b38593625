"""How letters reach the mail server."""

from __future__ import annotations

from typing import Literal

import msgspec

from webhook_engine.delivery.mail.letters import DEFAULT_TEMPLATE

__all__ = ["MailSettings"]


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
    """For all that is said about one letter, from connecting to leaving."""
    ca_file: str | None = None
