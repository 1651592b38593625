"""``webhook-engine copy``: moves the data from an SQLite file to PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from webhook_engine.cli.configured import ConfigOption, configuration
from webhook_engine.cli.show import show_rows
from webhook_engine.cli.terminal import CommandError, UsageError, err
from webhook_engine.config.loading import Config
from webhook_engine.config.sections import StoreConfig
from webhook_engine.secrets.files import SecretFile, beside, put_secrets
from webhook_engine.store.moving import Moved, move
from webhook_engine.store.opening import opened_for_moving

__all__ = ["copy"]

_CONFIGURED = {SecretFile.MAIN: "security.main_secret", SecretFile.JWT: "auth.jwt_secret"}


def copy(
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL", help="The SQLite file, sqlite:///webhook-engine.db; or store.url names it."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="The database, postgresql://user@host/name; or store.url names it."),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="NAME", help="Its schema, as store.schema later; created if missing."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at both, say what there is to do, change nothing.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Move everything from the SQLite file of a stopped engine to a PostgreSQL database.

    The file stays as it is. The target must be empty; no engine starts on it before all of it is there and was checked
    by counts and sums. After an interruption, run it again: it goes on where it was.
    """
    loaded = configuration(config)
    origin, goal = _stores(loaded, source, target, schema)
    carried = _secrets_to_carry(loaded, origin, goal)
    with _progress() as told:
        moved = asyncio.run(_move(origin, goal, told, dry_run=dry_run))
    if dry_run:
        show_rows(["TABLE", "ROWS", "THERE"], [
            [f"webhook_{table}", f"{count:,}", f"{moved.already[table]:,}"] for table, count in moved.rows.items()
        ])  # fmt: skip
    elif moved.rows == moved.already:
        err.print("everything is there already, and the sums agree", soft_wrap=True)
    else:
        _say(f"copied {sum(moved.rows.values()):,} rows to {goal.shown}, checked by counts and sums")
    for path, to in carried:
        if not dry_run:
            put_secrets(to, *path.read_text("utf-8").splitlines())
        _say(f"{'would copy' if dry_run else 'copied'} {path} to {to.absolute()}")
    _say_secrets(loaded, origin, goal)
    if dry_run:
        _say("nothing was changed")


async def _move(
    source: StoreConfig, target: StoreConfig, told: Callable[[str, int, int], None], *, dry_run: bool
) -> Moved:
    async with opened_for_moving(source, target) as (what, where):
        return await move(what, where, told, dry_run=dry_run)


def _stores(
    config: Config, source: str | None, target: str | None, schema: str | None
) -> tuple[StoreConfig, StoreConfig]:
    given = config.store
    if source is None and given.path is None:
        raise UsageError("--from: name the SQLite file, such as sqlite:///webhook-engine.db")
    if target is None and given.path is not None:
        raise UsageError("--to: name the PostgreSQL database, such as postgresql://webhooks@db.example.com/app")
    if schema is None and given.path is None:
        schema = given.schema
    origin = given if source is None else StoreConfig(url=source)
    goal = StoreConfig(url=given.url if target is None else target, schema=schema)
    return origin, goal


def _secrets_to_carry(config: Config, source: StoreConfig, target: StoreConfig) -> Sequence[tuple[Path, Path]]:
    """The files with secrets to copy, each with the path where an engine started in this directory expects it.

    Raises ``CommandError`` if there are other secrets at those paths.
    """
    found = []
    for secret in SecretFile:
        if _is_configured(config, secret):
            continue
        for name in (secret.value, f"{secret}.older"):
            path, to = beside(source.files, name), beside(target.files, name)
            if not path.exists() or path.absolute() == to.absolute():
                continue
            if not to.exists():
                found.append((path, to))
            elif to.read_text("utf-8").split() != path.read_text("utf-8").split():
                raise CommandError(
                    f"{to.absolute()} is there already, and is not {path}; move it away if no engine needs it, or run "
                    "this in the directory that the engine will be started in"
                )
    return found


def _say_secrets(config: Config, source: StoreConfig, target: StoreConfig) -> None:
    for secret in SecretFile:
        name, path = _CONFIGURED[secret], secret.of(source.files)
        if _is_configured(config, secret):
            _say(f"{name} is configured: the engines on {target.shown} need the same")
        elif path.exists():
            _say(f"{name}: engines that are started elsewhere than in {Path.cwd()} need what is in {path}")
        elif secret is SecretFile.MAIN:
            _say(f"{name}: {path} is not there; configure what the engine had, or no secret of an endpoint can be read")


def _is_configured(config: Config, secret: SecretFile) -> bool:
    given = {
        SecretFile.MAIN: config.security.main_secret,
        SecretFile.JWT: config.auth.jwt_secret or config.auth.jwt_public_key,
    }
    return given[secret] is not None


def _say(text: str) -> None:
    err.print(text, markup=False, soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a progress callback: a bar for each table on a terminal, otherwise a line for each completed one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def told(table: str, done: int, of: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(f"webhook_{table}", total=of)
            bars.update(tasks[table], completed=done)
            if done == of and of and not err.is_terminal:
                _say(f"webhook_{table}: {of:,} rows")

        yield told
