"""``webhook-engine check-config``: checks the configuration and prints its effective values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.terminal import out
from webhook_engine.config.loading import EffectiveSetting

__all__ = ["check_config"]


def check_config(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object, for programs.")] = False,
) -> None:
    """Check the configuration and show each setting as it holds, with where it came from. Secrets are masked.

    Exits with 2, and a line for each problem, if there is anything wrong with it.
    """
    settings = list(configuration(config).effective())
    if as_json:
        typer.echo(_as_json(settings))
    elif out.is_terminal:
        out.print(_as_table(settings))
    else:
        for setting in settings:
            typer.echo(f"{setting.key} = {setting.value}  # {setting.source}")


def _as_json(settings: Sequence[EffectiveSetting]) -> str:
    described = {setting.key: {"value": _plain(setting.value), "source": setting.source} for setting in settings}
    return json.dumps(described, ensure_ascii=False, indent=2)


def _plain(shown: str) -> object:
    """The value itself; ``None`` if it is unset and only the effective behaviour is shown."""
    return None if shown.startswith("(") else tomllib.loads(f"value = {shown}")["value"]


def _as_table(settings: Sequence[EffectiveSetting]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for section, group in groupby(settings, key=lambda setting: setting.key.partition(".")[0]):
        table.add_row()
        table.add_row(f"[bold]{escape(f'[{section}]')}[/]")
        for setting in group:
            style = "dim" if setting.source == "default" else "green"
            key = setting.key.partition(".")[2]
            # The variable's name follows from the key, and would leave no room for the value.
            source = "environment" if setting.source.startswith("environment ") else setting.source
            table.add_row(f"  {key}", escape(setting.value), f"[{style}]{escape(source)}[/]")
    return table
