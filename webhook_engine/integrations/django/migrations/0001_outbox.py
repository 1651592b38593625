"""The outbox table, as webhook_engine.outbox defines it for the kind of database."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations

from webhook_engine.outbox import create_table
from webhook_engine.outbox.dialect import TABLE


def create(_: object, schema_editor: Any) -> None:
    """Make the table where it is missing."""
    create_table(schema_editor.connection)


def drop(_: object, schema_editor: Any) -> None:
    """Remove the table."""
    schema_editor.execute(f"DROP TABLE IF EXISTS {TABLE}")


class Migration(migrations.Migration):
    """The first version."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations = [migrations.RunPython(create, drop)]  # noqa: RUF012
