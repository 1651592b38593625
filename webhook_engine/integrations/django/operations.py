"""The outbox table as an operation of a migration, so that ``sqlmigrate`` prints its SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation

from webhook_engine.outbox.dialect import dialect_named

__all__ = ["CreateOutbox"]


class CreateOutbox(Operation):
    """Creates the outbox table, as ``webhook_engine.outbox`` defines it for the database; reversed, drops it."""

    reversible = True
    reduces_to_sql = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change no model."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the table if it does not exist."""
        if _allowed(app_label, schema_editor):
            _execute(schema_editor, dialect_named(schema_editor.connection.vendor).table_statements())

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the table, and what was created with it."""
        if _allowed(app_label, schema_editor):
            _execute(schema_editor, dialect_named(schema_editor.connection.vendor).drop_statements())

    def describe(self) -> str:
        """The description for ``migrate --plan`` and ``sqlmigrate``."""
        return "Make the outbox of Webhook Engine"


def _allowed(app_label: str, schema_editor: Any) -> bool:
    return bool(router.allow_migrate(schema_editor.connection.alias, app_label))


def _execute(schema_editor: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        # With parameters, a percent sign would be a placeholder.
        schema_editor.execute(statement, params=None)
