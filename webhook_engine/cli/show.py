"""Prints responses of the API: tables on a terminal, aligned columns otherwise, and JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from webhook_engine.cli.client import Client, Listing
from webhook_engine.cli.terminal import CommandError, err, glyph, out

__all__ = ["decoded", "names", "said", "show_json", "show_list", "show_one", "show_rows", "when"]

T = TypeVar("T")

_STYLES = {
    "enabled": "green", "finished": "green", "success": "green", "active": "green",
    "disabled": "red", "fail": "red", "failed": "red",
    "pending": "yellow", "sending": "yellow", "running": "yellow", "failing": "yellow",
    "archived": "dim", "canceled": "dim", "deprecated": "dim", "-": "dim",
}  # fmt: skip


def show_list(client: Client, listing: Listing, kind: type[T], columns: Mapping[str, Callable[[T], str]]) -> None:
    """Print a list as rows, and how to get more of it."""
    if client.as_json:
        show_json(listing.body)
        return
    show_rows(list(columns), [[cell(item) for cell in columns.values()] for item in _all(listing.data, kind)])
    if not listing.data:
        err.print("There are none.", style="dim")
    elif not listing.done:
        more = f"There are more: --iterator {listing.iterator} goes on, --all shows all of them."
        err.print(more, style="dim", markup=False, soft_wrap=True)


def show_one(client: Client, body: bytes, kind: type[T], fields: Mapping[str, Callable[[T], str]]) -> None:
    """Print one object, with a line for each field that has a value."""
    if client.as_json:
        show_json(body)
        return
    item = decoded(body, kind)
    lines = [(name, text) for name, field in fields.items() if (text := field(item))]
    if out.is_terminal:
        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in lines:
            grid.add_row(name, _styled(text))
        out.print(grid)
    else:
        width = max((len(name) for name, _ in lines), default=0)
        for name, text in lines:
            _echo(f"{name:<{width}}  {_clean(text)}")


def show_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; nothing if there are no rows."""
    if not rows:
        return
    rows = [[text or "-" for text in row] for row in rows]
    if out.is_terminal:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for place, name in enumerate(header):
            table.add_column(name, no_wrap=not place, overflow="fold")
        for row in rows:
            table.add_row(*map(_styled, row))
        out.print(table)
        return
    lines = [[name.upper() for name in header], *([_clean(text) for text in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        _echo("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())


def show_json(body: bytes) -> None:
    """Print the API's JSON, byte for byte; indented on a terminal. Nothing for an empty response."""
    if body:
        text = msgspec.json.format(body, indent=2) if out.is_terminal else body
        typer.echo(text)


def said(client: Client, body: bytes, text: str) -> None:
    """Confirm that something was done."""
    if client.as_json:
        show_json(body)
    elif out.is_terminal:
        out.print(Text(f"{glyph('✓', 'ok:')} ", style="green").append(_clean(text), style="default"), soft_wrap=True)
    else:
        _echo(_clean(text))


def decoded(body: bytes, kind: type[T]) -> T:
    """Decode a response; raises ``CommandError`` if it is invalid."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as problem:
        raise CommandError(f"the daemon's answer is not understood ({problem}); is it of another version?") from None


def when(moment: datetime | None) -> str:
    """A time, to the second, in UTC."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def names(values: Sequence[str] | None, without: str) -> str:
    """A list of names, or ``without`` if there are none."""
    return ", ".join(values) if values else without


def _all(data: Sequence[msgspec.Raw], kind: type[T]) -> list[T]:
    return [decoded(bytes(item), kind) for item in data]


def _styled(text: str) -> Text:
    return Text(_clean(text), style=_STYLES.get(text, ""))


def _clean(text: str) -> str:
    """The text without control characters for the terminal, and characters that it cannot show."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown.encode(out.encoding, "replace").decode(out.encoding)


def _echo(line: str) -> None:
    typer.echo(line)
