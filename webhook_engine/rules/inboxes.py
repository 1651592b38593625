"""The addresses of Play's inboxes, which the server makes and the delivery lets through to itself. Pure."""

from __future__ import annotations

import re

__all__ = ["INBOX_PATH", "is_inbox_path", "is_token"]

INBOX_PATH = "/play/in/"
"""What comes before the token of an inbox in its path."""

_TOKEN = r"[A-Za-z0-9_-]{16,64}"  # noqa: S105

is_token = re.compile(_TOKEN).fullmatch
"""Whether an inbox could be called so."""
is_inbox_path = re.compile(f"{INBOX_PATH}{_TOKEN}/?").fullmatch
"""Whether an inbox receives at this path of the server."""
