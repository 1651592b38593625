"""Output of the commands: colored on a terminal, plain text in files and pipes."""

from __future__ import annotations

from rich.console import Console

from webhook_engine.cli.errors import CommandError, UsageError

__all__ = ["CommandError", "UsageError", "err", "error", "glyph", "out"]

out = Console(highlight=False, emoji=False)
"""Results, on standard output."""

err = Console(highlight=False, emoji=False, stderr=True)
"""Problems and progress, on standard error."""


def error(text: str) -> None:
    """Print what went wrong, one line for each problem."""
    for line in text.splitlines():
        err.print("error:", style="bold red", end=" ")
        err.print(line, markup=False, soft_wrap=True)


def glyph(nice: str, plain: str) -> str:
    """A character, or its replacement if standard output cannot encode it."""
    try:
        nice.encode(out.encoding)
    except UnicodeEncodeError:
        return plain
    return nice
