"""The outbox table as an operation of a migration, so that ``sqlmigrate`` prints its SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation

from webhook_engine.outbox.dialect import dialect_named

__all__ = ["CreateOutbox"]


class CreateOutbox(Operation):
    """Makes the outbox table, as ``webhook_engine.outbox`` defines it for the kind of database; undone, removes it."""

    reversible = True
    reduces_to_sql = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change no model."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Make the table where it is missing."""
        if _allowed(app_label, schema_editor):
            _execute(schema_editor, dialect_named(schema_editor.connection.vendor).table_statements())

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Remove the table, and what was made with it."""
        if _allowed(app_label, schema_editor):
            _execute(schema_editor, dialect_named(schema_editor.connection.vendor).drop_statements())

    def describe(self) -> str:
        """What ``migrate --plan`` and ``sqlmigrate`` say."""
        return "Make the outbox of Webhook Engine"


def _allowed(app_label: str, schema_editor: Any) -> bool:
    return bool(router.allow_migrate(schema_editor.connection.alias, app_label))


def _execute(schema_editor: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        # Without parameters, a percent sign is one.
        schema_editor.execute(statement, params=None)
