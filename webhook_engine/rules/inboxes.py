"""The addresses of Play's inboxes, which the server creates and which deliveries to itself may reach. Pure."""

from __future__ import annotations

import re

__all__ = ["INBOX_PATH", "is_inbox_path", "is_token"]

INBOX_PATH = "/play/in/"
"""The path prefix before the token of an inbox."""

_TOKEN = r"[A-Za-z0-9_-]{16,64}"  # noqa: S105

is_token = re.compile(_TOKEN).fullmatch
"""Whether a text has the form of an inbox token."""
is_inbox_path = re.compile(f"{INBOX_PATH}{_TOKEN}/?").fullmatch
"""Whether a path of the server is that of an inbox."""
