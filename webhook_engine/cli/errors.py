"""How a command ends that did not do what it was asked to."""

from __future__ import annotations

from webhook_engine.errors import WebhookEngineError

__all__ = ["CommandError", "UsageError"]


class CommandError(WebhookEngineError):
    """A command could not do what it was asked to; the text says why."""

    exit_code = 1


class UsageError(CommandError):
    """What a command was asked for makes no sense; the text says what would."""

    exit_code = 2
