"""``webhook-engine import``: import from other servers, with ids, secrets and filters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import msgspec
import typer

from webhook_engine.cli.client import Client, TooLargeError
from webhook_engine.cli.configured import configuration, program_is_given
from webhook_engine.cli.connected import OPTIONS, instant
from webhook_engine.cli.show import decoded, show_json, show_rows
from webhook_engine.cli.terminal import CommandError, UsageError, err, out
from webhook_engine.config.loading import Config
from webhook_engine.importing.convoy_database import ConvoyDatabase
from webhook_engine.importing.convoy_server import ConvoyServer
from webhook_engine.importing.http_server import HttpServer
from webhook_engine.importing.outpost_server import OutpostServer
from webhook_engine.importing.source import Source, SourceError
from webhook_engine.importing.svix_database import SvixDatabase
from webhook_engine.importing.svix_secrets import SvixSecrets
from webhook_engine.importing.svix_server import SvixServer
from webhook_engine.importing.tables import Tables
from webhook_engine.importing.transfer import BatchTooLargeError, Report, Target, transfer
from webhook_engine.resources.imported import ImportedBatch, ImportOutcome, ImportStatus, Kind
from webhook_engine.sync import SyncEngine

__all__ = ["DaemonTarget", "importing"]

importing = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Take over from Svix, Convoy or Outpost: event types, applications, endpoints with secrets, and messages. "
    "A second time nothing is doubled.",
)

P = ParamSpec("P")

FromUrl = Annotated[
    str | None, typer.Option("--from-url", metavar="URL", help="Where the server is that is taken over from.")
]
FromToken = Annotated[
    str | None,
    typer.Option(
        "--from-token",
        envvar="WEBHOOK_ENGINE_IMPORT_TOKEN",
        show_envvar=True,
        metavar="TOKEN",
        help="A token of that server.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="WEBHOOK_ENGINE_IMPORT_DATABASE",
        show_envvar=True,
        metavar="URL",
        help="Read that server's PostgreSQL database instead: postgresql://USER:PASSWORD@HOST/NAME.",
    ),
]
MainSecret = Annotated[
    str | None,
    typer.Option(
        "--main-secret",
        envvar="WEBHOOK_ENGINE_IMPORT_MAIN_SECRET",
        show_envvar=True,
        help="What that server encrypts the secrets in its database with.",
    ),
]
Messages = Annotated[
    str | None,
    typer.Option(
        "--messages-since",
        metavar="TIME",
        help="Also the messages since then, such as 14d or 2030-01-31T12:00:00Z. Nothing is sent of them.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing, and print the same report.")]
Update = Annotated[bool, typer.Option("--update", help="Make what is here already as it is there, too.")]


class DaemonTarget:
    """A running daemon as the target."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
        """See :class:`~webhook_engine.importing.transfer.Target`."""
        body = {**msgspec.to_builtins(batch), "dryRun": dry_run, "update": update}
        try:
            answer = self._client.post(["import"], body)
        except TooLargeError as problem:
            raise BatchTooLargeError(str(problem)) from None
        return decoded(answer, _Answer).outcomes


class EngineTarget:
    """The engine of a program as the target; it runs here for the duration of the import."""

    def __init__(self, engine: SyncEngine) -> None:
        self._engine = engine

    def take(self, batch: ImportedBatch, *, dry_run: bool, update: bool) -> Sequence[ImportOutcome]:
        """See :class:`~webhook_engine.importing.transfer.Target`."""
        return self._engine.imports.take(batch, dry_run=dry_run, update=update)


class _Answer(msgspec.Struct):
    outcomes: list[ImportOutcome]


class _Import:
    """The target of an import, and the output format."""

    def __init__(self, target: Target, as_json: bool) -> None:
        self._target = target
        self._as_json = as_json

    def run(self, source: Source, messages: str | None, dry_run: bool, update: bool) -> None:
        """Import, and print the report, even after an error; raises ``CommandError``."""
        since = instant(messages, "--messages-since")
        report = Report(source=source.name, dry_run=dry_run)
        try:
            transfer(
                source,
                self._target,
                report,
                messages_since=None if since is None else datetime.fromisoformat(since),
                update=update,
                told=_progress if err.is_terminal and not self._as_json else lambda report: None,
            )
        except BaseException:
            self._print(report)
            raise
        self._print(report)
        if report.count(ImportStatus.REFUSED):
            raise CommandError(f"{report.count(ImportStatus.REFUSED)} refused; the report says which, and why")

    def _print(self, report: Report) -> None:
        if self._as_json:
            show_json(msgspec.json.encode(report))
        elif report.counts or report.complete:
            _show(report)


def _targeted(work: Callable[Concatenate[_Import, P], None]) -> Callable[..., None]:
    """Make a command that imports into a daemon, or with ``--app`` into the engine of a program."""
    signature = inspect.signature(work, eval_str=True)
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in list(signature.parameters.values())[1:]]
    parameters = [*own, *OPTIONS]

    def command(**arguments: object) -> None:
        url, token, config, as_json = (arguments.pop(each.name) for each in OPTIONS)
        with _target(url, token, config, bool(as_json)) as target:
            work(_Import(target, bool(as_json)), **arguments)  # type: ignore[arg-type, call-arg]

    command.__name__, command.__doc__, command.__module__ = work.__name__, work.__doc__, work.__module__
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


@contextmanager
def _target(url: object, token: object, config: object, as_json: bool) -> Iterator[Target]:
    file = None if config is None else Path(str(config))
    if program_is_given():
        with SyncEngine(configuration(file)) as engine:
            yield EngineTarget(engine)
        return
    address = Config.load(file).server.local_url() if url is None else str(url)
    with Client(address, None if token is None else str(token), as_json=as_json) as client:
        yield DaemonTarget(client)


@importing.command()
@_targeted
def svix(
    taken: _Import,
    from_url: FromUrl = None,
    from_token: FromToken = None,
    database: Database = None,
    main_secret: MainSecret = None,
    from_organization: Annotated[
        str | None, typer.Option(metavar="ORG", help="Which one of the database, where there are several.")
    ] = None,
    messages_since: Messages = None,
    dry_run: DryRun = False,
    update: Update = False,
) -> None:
    """Take over from Svix: through its API, or from its database, which also has rotated secrets and hidden headers."""
    if database is not None:
        _only("--database", {"--from-url": from_url})
        with Tables("Svix", database) as tables:
            source = SvixDatabase(tables, from_organization, SvixSecrets(main_secret))
            taken.run(source, messages_since, dry_run, update)
        return
    _only("--from-url", {"--from-organization": from_organization})
    with _server("Svix", from_url, from_token, "--database") as server:
        taken.run(SvixServer(server), messages_since, dry_run, update)


@importing.command()
@_targeted
def convoy(
    taken: _Import,
    from_url: FromUrl = None,
    from_token: FromToken = None,
    database: Database = None,
    main_secret: MainSecret = None,
    project: Annotated[str | None, typer.Option(metavar="ID", help="Which project.")] = None,
    messages_since: Messages = None,
    dry_run: DryRun = False,
    update: Update = False,
) -> None:
    """Take over a project of Convoy: through its API, or from its database. An owner becomes an application."""
    if database is not None:
        _only("--database", {"--from-url": from_url})
        with Tables("Convoy", database) as tables:
            taken.run(ConvoyDatabase(tables, project, main_secret), messages_since, dry_run, update)
        return
    if not project:
        raise UsageError("--project: say which project, by the id in the address of its page")
    with _server("Convoy", from_url, from_token, "--database") as server:
        taken.run(ConvoyServer(server, project), messages_since, dry_run, update)


@importing.command()
@_targeted
def outpost(
    taken: _Import,
    from_url: FromUrl = None,
    from_token: FromToken = None,
    messages_since: Messages = None,
    dry_run: DryRun = False,
    update: Update = False,
) -> None:
    """Take over from Outpost through its API, with its API key. A tenant becomes an application."""
    with _server("Outpost", from_url, from_token, None) as server:
        taken.run(OutpostServer(server), messages_since, dry_run, update)


def _server(product: str, url: str | None, token: str | None, other: str | None) -> HttpServer:
    if not url:
        also = f", or {other} its database" if other else ""
        raise UsageError(f"--from-url: say where the {product} server is{also}")
    if not token:
        raise UsageError(f"--from-token or WEBHOOK_ENGINE_IMPORT_TOKEN: a token of the {product} server is needed")
    try:
        return HttpServer(product, url, token)
    except SourceError as problem:
        raise UsageError(str(problem)) from None


def _only(chosen: str, others: dict[str, str | None]) -> None:
    """Refuse options that do not fit the chosen source."""
    for name, value in others.items():
        if value is not None:
            raise UsageError(f"{name} does not go with {chosen}")


def _progress(report: Report) -> None:
    """Print progress on one line, which is overwritten."""
    counts = ", ".join(f"{sum(found.values())} {kind}s" for kind, found in report.counts.items())
    sys.stderr.write(f"\r\x1b[K{counts} …")
    sys.stderr.flush()


def _show(report: Report) -> None:
    """Print the report as text."""
    if err.is_terminal:
        sys.stderr.write("\r\x1b[K")
    kinds = [kind for kind in Kind if kind in report.counts]
    columns = [status for status in ImportStatus if report.count(status)]
    rows = [[f"{kind}s", *(str(report.counts[kind].get(status, 0)) for status in columns)] for kind in kinds]
    show_rows(["", *(_COLUMNS[status] for status in columns)], rows)
    if not rows:
        out.print("There was nothing to take over.")
    for title, listed in (("Refused", report.refused), ("Different here, and left so", report.different)):
        if listed:
            out.print(f"\n{title}:", markup=False)
        for one in listed:
            reason = one.problem or f"differs in {', '.join(one.differs)}"
            out.print(f"  {one.kind} {one.key}: {reason}", markup=False, soft_wrap=True)
        total = report.count(ImportStatus.REFUSED if listed is report.refused else ImportStatus.DIFFERENT)
        if listed and total > len(listed):
            out.print(f"  and {total - len(listed)} more")
    if report.different:
        out.print("  --update makes them as they are there.")
    if report.notes:
        out.print("\nWithout a counterpart here, or not as it was:")
    for note in report.notes:
        more = f" and {note.count - len(note.examples)} more" if note.count > len(note.examples) else ""
        out.print(f"  {note.text} ({', '.join(note.examples)}{more})", markup=False, soft_wrap=True)
    if report.dry_run:
        out.print("\nThis was a dry run: nothing was changed.", soft_wrap=True)
    if not report.complete:
        text = "This is not all: the source was not read to its end. Run the command again to go on."
        out.print(f"\n{text}", soft_wrap=True)


_COLUMNS = {
    ImportStatus.CREATED: "new",
    ImportStatus.UPDATED: "updated",
    ImportStatus.SAME: "here already",
    ImportStatus.DIFFERENT: "different here",
    ImportStatus.REFUSED: "refused",
}
