"""The errors of commands."""

from __future__ import annotations

from webhook_engine.errors import WebhookEngineError

__all__ = ["CommandError", "UsageError"]


class CommandError(WebhookEngineError):
    """A command failed; the text says why."""

    exit_code = 1


class UsageError(CommandError):
    """A command was called with invalid arguments; the text says what is valid."""

    exit_code = 2
