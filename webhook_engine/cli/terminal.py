"""What the commands print with: to people in color where there is a terminal, to files and pipes as plain text."""

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
    """A character, or what stands for it where standard output cannot take it."""
    try:
        nice.encode(out.encoding)
    except UnicodeEncodeError:
        return plain
    return nice
