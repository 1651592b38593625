"""The outbox table as a model, so that Django empties it with the others after a test."""

from __future__ import annotations

from django.db import models

from webhook_engine.outbox.dialect import TABLE

__all__ = ["OutboxMessage"]


class OutboxMessage(models.Model):
    """A message that waits to be taken by an engine; write one with ``enqueue``, which checks what it is given."""

    id = models.BigAutoField(primary_key=True)
    application = models.TextField()
    event_type = models.TextField()
    payload = models.BinaryField()
    event_id = models.TextField(null=True)
    channels = models.TextField(null=True)
    tags = models.TextField(null=True)
    deliver_at = models.TextField(null=True)
    organization = models.TextField(null=True)
    message_id = models.TextField(null=True)
    created_at = models.DateTimeField()
    error = models.TextField(null=True)
    failed_at = models.DateTimeField(null=True)

    class Meta:
        """Made by the migration in the words of the database, not from these fields."""

        db_table = TABLE
        default_permissions = ("view",)
        ordering = ("id",)
        verbose_name = "message in the outbox"
        verbose_name_plural = "messages in the outbox"

    def __str__(self) -> str:
        return f"{self.event_type} to {self.application}"
