"""The configuration of a command: that of ``--config``, or that of the engine in a program (``--app``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from webhook_engine.cli.errors import UsageError
from webhook_engine.cli.host_module import host_module
from webhook_engine.config.loading import Config

__all__ = ["COMMANDS_WITH_APP", "ConfigOption", "configuration", "program_given", "program_is_given"]

COMMANDS_WITH_APP = frozenset(
    {"backup", "restore", "outbox", "rotate", "doctor", "check-config", "token", "import", "members", "copy"}
)
"""The commands that use an engine's files, not the API of a daemon."""

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The TOML file; without it, WEBHOOK_ENGINE_CONFIG names one."),
]

_given: str | None = None


def program_given(place: str | None, command: str | None) -> None:
    """Remember ``--app`` for the command that follows; raises ``UsageError`` if the command does not support it."""
    global _given  # noqa: PLW0603 (set once, before the command runs)
    if place is not None and command is not None and command not in COMMANDS_WITH_APP:
        raise UsageError(
            f"--app is for the commands that work on an engine's own files: {', '.join(sorted(COMMANDS_WITH_APP))}; "
            f"{command} needs --config, or the --url of a server"
        )
    _given = place


def program_is_given() -> bool:
    """Whether ``--app`` names a program."""
    return _given is not None


def configuration(file: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration to use; raises ``UsageError`` or ``ConfigError``."""
    if _given is None:
        return Config.load(file, environ)
    if file is not None:
        raise UsageError("--app and --config both name a configuration; say one of them")
    return _of(_given)


def _of(place: str) -> Config:
    module_name, colon, name = place.partition(":")
    if not colon or not module_name or not name:
        raise UsageError(f"--app {place!r}: say it as module:name, such as shop.webhooks:engine")
    found: object = host_module(f"--app {place}", module_name)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"--app {place}: {module_name} has no {name}") from None
    if _config_of(found) is None and callable(found):
        try:
            found = found()
        except TypeError as error:
            raise UsageError(f"--app {place}: it cannot be called without arguments: {error}") from error
    config = _config_of(found)
    if config is None:
        raise UsageError(
            f"--app {place} is {type(found).__name__}; it must be an Engine, SharedEngine, SyncEngine, "
            "SyncSharedEngine or Config, or a function without arguments that returns one"
        )
    return config


def _config_of(found: object) -> Config | None:
    config = found if isinstance(found, Config) else getattr(found, "config", None)
    return config if isinstance(config, Config) else None
