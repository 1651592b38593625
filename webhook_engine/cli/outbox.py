"""``webhook-engine outbox``: the outbox table, and its rows that cannot be delivered.

These commands use the databases themselves, whether an engine runs or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.terminal import CommandError, UsageError, out
from webhook_engine.config.values import without_passwords
from webhook_engine.outbox import table_sql
from webhook_engine.store.sources import SetAsideRow, SourceDatabase, source_database

__all__ = ["outbox"]

outbox = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The outbox: its table, and the rows that can never be delivered."
)

MOST = 1000

SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="URL", help="Only this one of outbox.sources, or store.url; without it all of them."
    ),
]
RowsArgument = Annotated[list[int] | None, typer.Argument(metavar="ROW…", help="The ids that `list` shows.")]
AllOption = Annotated[bool, typer.Option("--all", help="All rows that were set aside.")]


class DialectName(StrEnum):
    """A kind of database."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


@outbox.command("sql")
def sql(
    dialect: Annotated[DialectName, typer.Option(help="The kind of database.")] = DialectName.SQLITE,
) -> None:
    """Print the SQL that makes the outbox table, for your own migrations."""
    typer.echo(table_sql(dialect.value), nl=False)


@outbox.command("list")
def list_rows(
    config: ConfigOption = None,
    source: SourceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object, for programs.")] = False,
) -> None:
    """Show the rows that were set aside, with the reasons, and how many wait to be taken."""
    found = []
    for database in _databases(config, source):
        with _open(database):
            rows, waiting = database.list_set_aside(MOST), database.count_waiting()
        found.append({"source": database.name, "waiting": waiting, "set_aside": rows})
        if not as_json:
            _show(database.name, waiting, rows)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"sources": found})).decode())


@outbox.command()
def retry(
    rows: RowsArgument = None, config: ConfigOption = None, source: SourceOption = None, everything: AllOption = False
) -> None:
    """Let rows that were set aside be tried again, when what was wrong is put right."""
    _change("tried again", rows, everything, config, source, lambda database, chosen: database.retry(chosen))


@outbox.command()
def discard(
    rows: RowsArgument = None, config: ConfigOption = None, source: SourceOption = None, everything: AllOption = False
) -> None:
    """Delete rows that were set aside. Their messages are never sent."""
    _change("discarded", rows, everything, config, source, lambda database, chosen: database.discard(chosen))


def _change(
    done: str,
    rows: list[int] | None,
    everything: bool,
    config: Path | None,
    source: str | None,
    change: Callable[[SourceDatabase, list[int] | None], int],
) -> None:
    if bool(rows) == everything:
        raise UsageError("name the rows by the ids that `webhook-engine outbox list` shows, or say --all")
    databases = _databases(config, source)
    if rows and len(databases) > 1:
        raise UsageError("there are several outboxes, each with ids of its own; say which with --source URL")
    count = 0
    for database in databases:
        with _open(database):
            count += change(database, None if everything else rows)
    typer.echo(f"{count} {'row' if count == 1 else 'rows'} {done}")
    if rows and (others := len(set(rows)) - count):
        raise CommandError(
            f"{others} of the rows named {'is' if others == 1 else 'are'} not set aside; "
            "`webhook-engine outbox list` shows which are"
        )


def _databases(config: Path | None, source: str | None) -> list[SourceDatabase]:
    """The outboxes to use; that of the engine's own database is the first."""
    known = configuration(config)
    urls = [known.store.url, *known.outbox.sources]
    if source is not None:
        shown = {without_passwords(url): url for url in urls} | {url: url for url in urls}
        if source not in shown:
            raise UsageError(
                f"--source {without_passwords(source)}: known are {', '.join(map(without_passwords, urls))}"
            )
        urls = [shown[source]]
    return [source_database(url, known.store.schema if url == known.store.url else None) for url in urls]


@contextmanager
def _open(database: SourceDatabase) -> Iterator[None]:
    database.connect(exclusive=False)
    try:
        yield
    finally:
        database.close()


def _show(name: str, waiting: int, rows: Sequence[SetAsideRow]) -> None:
    out.print(f"{escape(name)}: {waiting} waiting, {len(rows)} set aside", soft_wrap=True)
    if not rows:
        return
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("row", "application", "event type", "since", "error"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            str(row.id), escape(row.application), escape(row.event_type), escape(row.failed_at), escape(row.error)
        )
    out.print(table)
