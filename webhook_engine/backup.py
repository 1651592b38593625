"""Backup and restore: one file with the database and the secrets that were generated beside it.

The file is a tar archive that only its owner may read: anyone who has it can sign in the name of every endpoint.
Configured secrets are not in it: they are backed up with the configuration.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from webhook_engine.config.loading import Config
from webhook_engine.errors import ConfigError, StoreError
from webhook_engine.secrets.files import SecretFile, beside
from webhook_engine.store.sqlite.copy import clock_seen_at, copy_database, problems_of, shrinks

__all__ = ["Saved", "back_up", "clock_last_seen", "database_problems", "gets_smaller", "restore"]

DATABASE = "database"
SECRETS = tuple(name for one in SecretFile for name in (one.value, f"{one}.older"))
"""Names in the archive; beside the database they follow its own name."""


class Saved(msgspec.Struct, frozen=True):
    """What a backup or a restore has saved."""

    size_bytes: int
    secrets: Sequence[str]
    missing: Sequence[str]
    """Secrets that are configured, not generated: back them up separately."""


def back_up(config: Config, target: Path) -> Saved:
    """Write a backup to the new file ``target``; an engine may run meanwhile.

    The database is a consistent snapshot. Raises ``StoreError`` if ``target`` exists already.
    """
    database = _file(config)
    if target.exists():
        raise StoreError(f"{target}: there is a file already; a backup never replaces one, so choose another name")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    with TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as directory:
        copy = Path(directory, DATABASE)
        copy_database(database, copy)
        size = copy.stat().st_size
        found = [name for name in SECRETS if beside(database, name).exists()]
        try:
            with (
                os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
                tarfile.open(fileobj=file, mode="w|") as archive,
            ):
                for name in found:
                    archive.add(beside(database, name), name, filter=_plain)
                archive.add(copy, DATABASE, filter=_plain)
            _sync(draft)
            draft.replace(target)
            _sync(target.absolute().parent)
        finally:
            draft.unlink(missing_ok=True)
    return Saved(size, found, _configured(config))


def restore(config: Config, source: Path) -> Saved:
    """Restore the database and the secrets of a backup to the configured paths.

    No file is replaced: raises ``StoreError`` if one exists already, or if the backup is damaged.
    """
    database = _file(config)
    wanted = {DATABASE: database, **{name: beside(database, name) for name in SECRETS}}
    for path in (*wanted.values(), database.with_name(f"{database.name}-wal")):
        if path.exists():
            raise StoreError(f"{path} is there already; stop the engine, and move it away if it is not needed any more")
    with TemporaryDirectory(dir=database.absolute().parent, prefix=".restore-") as directory:
        names = _unpack(source, Path(directory))
        problems = problems_of(Path(directory, DATABASE))
        if problems:
            raise StoreError(f"{source}: the database in it is damaged: {'; '.join(problems)}; take another backup")
        size = Path(directory, DATABASE).stat().st_size
        # The database comes last: if it is there, the restore is complete.
        for name in names:
            Path(directory, name).replace(wanted[name])
        _sync(database.absolute().parent)
    return Saved(size, [name for name in names if name != DATABASE], _configured(config))


def database_problems(database: Path) -> list[str]:
    """The problems found in a database file; empty if it is intact. An engine may run on it."""
    return problems_of(database)


def gets_smaller(database: Path) -> bool:
    """Whether the file shrinks when retention deletes rows, instead of only reusing the space."""
    return shrinks(database)


def clock_last_seen(database: Path) -> int | None:
    """The last clock time stored by an engine on this file, in microseconds since the epoch; ``None`` if unknown."""
    return clock_seen_at(database)


def _file(config: Config) -> Path:
    if config.store.path is None:
        raise StoreError(
            f"{config.store.shown} is on a server: back it up with pg_dump, and restore it with pg_restore, and keep "
            f"the secrets apart from it: {', '.join(str(one.of(config.store.files)) for one in SecretFile)}, or what "
            "is configured in their place"
        )
    return config.store.path


def _unpack(source: Path, directory: Path) -> list[str]:
    try:
        with tarfile.open(source, mode="r:") as archive:
            members = {member.name: member for member in archive if member.isreg()}
            if DATABASE not in members or members.keys() - {DATABASE, *SECRETS}:
                raise StoreError(f"{source} is not a backup that `webhook-engine backup` has made")
            names = [*(name for name in SECRETS if name in members), DATABASE]
            for name in names:
                content = archive.extractfile(members[name])
                path = directory / name
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    if content is not None:
                        shutil.copyfileobj(content, file, 1024 * 1024)
                _sync(path)
    except tarfile.TarError as error:
        raise StoreError(f"{source} is not a backup, or it is damaged: {error}") from error
    except FileNotFoundError:
        raise ConfigError(f"{source}: there is no such file") from None
    return names


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _configured(config: Config) -> list[str]:
    given = {"security.main_secret": config.security.main_secret, "auth.jwt_secret": config.auth.jwt_secret}
    return [name for name, value in given.items() if value is not None]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
