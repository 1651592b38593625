"""Parses simple arguments of ``serve`` without the command-line library, which takes time to load. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["ServeArguments", "serve_arguments"]

_NAMES = {"--config": "config", "-c": "config", "--listen": "listen", "-l": "listen"}


class ServeArguments(NamedTuple):
    """The arguments of ``serve``."""

    config: Path | None
    listen: str | None


def serve_arguments(arguments: Sequence[str]) -> ServeArguments | None:
    """The parsed arguments; ``None`` for another command, a request for help, or invalid arguments."""
    if not arguments or arguments[0] != "serve":
        return None
    said: dict[str, str] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        option, equals, value = argument.partition("=")
        name = _NAMES.get(option)
        if name is None or (equals and not option.startswith("--")):
            return None
        given = value if equals else next(rest, "")
        if not given or given.startswith("-"):
            return None
        said[name] = given
    config = said.get("config")
    return ServeArguments(None if config is None else Path(config), said.get("listen"))
