"""The files beside a database with its generated secrets, and with older ones.

A secret is generated once, if none is configured. When it is rotated, the previous one is moved to another file.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from webhook_engine.errors import ConfigError

__all__ = [
    "SecretFile",
    "beside",
    "generate_secret",
    "load_or_create_secret_file",
    "older_file",
    "older_secrets",
    "put_secrets",
]

_SECRET_BYTES: Final = 32
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class SecretFile(StrEnum):
    """A secret that is generated beside a database; its value is the suffix of the file name."""

    MAIN = "main_secret"
    """``security.main_secret``."""
    JWT = "jwt_secret"
    """``auth.jwt_secret``."""

    def of(self, database: Path) -> Path:
        """The path of the file for this database."""
        return beside(database, self)


def beside(database: Path, name: str) -> Path:
    """The path of a file that belongs to a database: the database's path with a suffix."""
    return database.with_name(f"{database.name}.{name}")


def older_file(path: Path) -> Path:
    """The path of the file with the older secrets of the file ``path``."""
    return beside(path, "older")


def generate_secret() -> str:
    """A new secret: 256 random bits as text, valid in a configuration file or an environment variable."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def load_or_create_secret_file(path: Path) -> str:
    """Load the secret from the file at ``path``; a missing file is created, readable by its owner only.

    Processes that do this at the same time get the same secret, and a new secret is on disk before it is used. White
    space around it is ignored. Raises :class:`ConfigError` if the file is empty, or cannot be read or created.
    """
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _create(path, f"{generate_secret()}\n".encode())
        return _read(path)
    except UnicodeDecodeError:
        raise ConfigError(f"the secret file {path} is not text in UTF-8; put the right one in its place") from None
    except OSError as problem:
        raise ConfigError(
            f"the secret file {path} cannot be read or made: {problem.strerror or problem}; "
            "see that its directory exists and that this user may read and write there"
        ) from problem


def older_secrets(path: Path) -> list[str]:
    """The older secrets of the file ``path``, if any; raises :class:`ConfigError` if they cannot be read."""
    try:
        lines = older_file(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"the secret file {older_file(path)} cannot be read: {problem}") from problem
    return [line.strip() for line in lines if line.strip()]


def put_secrets(path: Path, *lines: str) -> None:
    """Replace the contents of a file with these secrets, one per line; on disk when this returns."""
    draft = _draft(path)
    try:
        _write(draft, "".join(f"{line}\n" for line in lines).encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path)


def _read(path: Path) -> str:
    secret = path.read_text(encoding="utf-8").strip()
    if not secret:
        raise ConfigError(
            f"the secret file {path} is empty; restore it from a backup, since what was encrypted with it cannot be "
            "read without it; delete it only if nothing was stored yet"
        )
    return secret


def _create(path: Path, content: bytes) -> None:
    """Create ``path`` with ``content``, completely or not at all; an existing file is kept."""
    draft = _draft(path)
    try:
        _write(draft, content)
        with suppress(FileExistsError):
            _link(draft, path, content)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _sync_directory(path: Path) -> None:
    directory = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _link(draft: Path, path: Path, content: bytes) -> None:
    try:
        os.link(draft, path)  # Unlike a rename, it never replaces a file that another process made meanwhile.
    except OSError as problem:
        if problem.errno not in _NO_HARD_LINKS:
            raise
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        # The disk is full: the next start would read the incomplete secret as a whole one.
        path.unlink(missing_ok=True)
        raise
