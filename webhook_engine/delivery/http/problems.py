"""Texts for attempts from errors of libraries and of the system."""

from __future__ import annotations

import os
import ssl

__all__ = ["problem", "shortened"]

MAX_LENGTH = 500
"""Characters kept of an error's text."""


def problem(error: BaseException) -> str:
    """The text of an error, without its class and its numbers."""
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message.rstrip(".")
        case ssl.SSLError() if error.reason:
            return error.reason.replace("_", " ").lower()
        case OSError() if error.errno and error.errno > 0:
            return os.strerror(error.errno)
        case OSError() if error.strerror:
            return shortened(error.strerror)
        case ConnectionError() if not str(error):
            return "it was closed"
    return shortened(str(error)) or type(error).__name__


def shortened(text: str) -> str:
    """Shorten a text to one line of at most ``MAX_LENGTH`` characters."""
    return " ".join(text.split())[:MAX_LENGTH]
