"""The outbox table, as webhook_engine.outbox defines it for the kind of database."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

from webhook_engine.integrations.django.operations import CreateOutbox
from webhook_engine.outbox.dialect import TABLE


class Migration(migrations.Migration):
    """The first version."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations = [  # noqa: RUF012
        migrations.SeparateDatabaseAndState(
            database_operations=[CreateOutbox()],
            state_operations=[
                migrations.CreateModel(
                    name="OutboxMessage",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("application", models.TextField()),
                        ("event_type", models.TextField()),
                        ("payload", models.BinaryField()),
                        ("event_id", models.TextField(null=True)),
                        ("channels", models.TextField(null=True)),
                        ("tags", models.TextField(null=True)),
                        ("deliver_at", models.TextField(null=True)),
                        ("organization", models.TextField(null=True)),
                        ("message_id", models.TextField(null=True)),
                        ("created_at", models.DateTimeField()),
                        ("error", models.TextField(null=True)),
                        ("failed_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "db_table": TABLE,
                        "default_permissions": ("view",),
                        "ordering": ("id",),
                        "verbose_name": "message in the outbox",
                        "verbose_name_plural": "messages in the outbox",
                    },
                )
            ],
        )
    ]
