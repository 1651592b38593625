"""Messages, endpoints and attempts as models without tables, for the admin and its permissions. Changes no table."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


def without_table(name: str, *permissions: tuple[str, str]) -> migrations.CreateModel:
    """Makes a model known that has no table."""
    return migrations.CreateModel(
        name=name,
        fields=[("id", models.TextField(primary_key=True, serialize=False))],
        options={
            **({"permissions": permissions} if permissions else {}),
            "managed": False,
            "default_permissions": ("view",),
            "base_manager_name": "objects",
        },
    )


class Migration(migrations.Migration):
    """Makes the permissions, at the end of ``migrate``."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("webhook_engine", "0001_outbox")]
    operations = [  # noqa: RUF012
        without_table("Attempt"),
        without_table("Endpoint", ("recover_endpoint", "Can recover failed messages of endpoints")),
        without_table("Message", ("resend_message", "Can send messages again")),
    ]
