"""What is told to ``serve`` means the same, whichever way it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.main import get_command

from webhook_engine.cli.serve import serve
from webhook_engine.cli.serve_arguments import _NAMES, ServeArguments, serve_arguments


@pytest.mark.parametrize(
    ("arguments", "config", "listen"),
    [
        ([], None, None),
        (["--config", "a.toml"], "a.toml", None),
        (["-c", "a.toml", "-l", "[::1]:0"], "a.toml", "[::1]:0"),
        (["--config=a=b.toml", "--listen=unix:/run/x"], "a=b.toml", "unix:/run/x"),
        (["--listen", ":1", "--listen", ":2"], None, ":2"),
    ],
)
def test_plain_arguments_are_read(arguments: list[str], config: str | None, listen: str | None) -> None:
    wanted = ServeArguments(None if config is None else Path(config), listen)
    assert serve_arguments(["serve", *arguments]) == wanted


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["token"],
        ["--app", "shop:engine", "serve"],
        ["serve", "--help"],
        ["serve", "-h"],
        ["serve", "--config"],
        ["serve", "--config", "--listen", ":1"],
        ["serve", "--config="],
        ["serve", "--", "x"],
        ["serve", "-c=a.toml"],
        ["serve", "-ca.toml"],
        ["serve", "a.toml"],
        ["serve", "--con", "a.toml"],
    ],
)
def test_everything_else_is_left_to_those_who_explain_it(arguments: list[str]) -> None:
    assert serve_arguments(arguments) is None


def test_no_option_is_forgotten() -> None:
    alone = typer.Typer(add_completion=False)
    alone.command()(serve)
    declared = {name for option in get_command(alone).params for name in option.opts}
    assert declared - {"--help"} == set(_NAMES)
