"""Numbered migrations of a store's schema: files like ``0001_initial.sql`` in its folder ``migrations``."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Sequence

import msgspec

from webhook_engine.errors import SchemaVersionError

__all__ = ["Migration", "migrations_of", "refuse_newer"]

_FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")


class Migration(msgspec.Struct, frozen=True, order=True):
    """A step from one version of the schema to the next."""

    version: int
    sql: str


def migrations_of(package: str) -> Sequence[Migration]:
    """All migrations in the folder ``migrations`` of a package, in order."""
    folder = importlib.resources.files(package) / "migrations"
    return sorted(
        Migration(int(match[1]), file.read_text("utf-8"))
        for file in folder.iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    )


def refuse_newer(name: object, version: int, known: Sequence[Migration]) -> None:
    """Raise ``SchemaVersionError`` if a database, here called ``name``, is newer than what is known."""
    latest = known[-1].version
    if version > latest:
        raise SchemaVersionError(
            f"{name} has schema version {version}, made by a newer Webhook Engine; this one knows versions up "
            f"to {latest}. Start the newer version, or restore a backup from before the upgrade"
        )
