"""The outbox table as a model, and the engine's records as models without tables, for the admin and its permissions."""

from __future__ import annotations

from typing import Any

from django.db import models

from webhook_engine.outbox.dialect import TABLE

__all__ = ["Attempt", "Endpoint", "Message", "OutboxMessage"]


class OutboxMessage(models.Model):
    """A message waiting for an engine; write one with ``enqueue``, which validates its arguments."""

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
        """The migration creates the table with the engine's own SQL, not from these fields."""

        db_table = TABLE
        default_permissions = ("view",)
        ordering = ("id",)
        verbose_name = "message in the outbox"
        verbose_name_plural = "messages in the outbox"

    def __str__(self) -> str:
        return f"{self.event_type} to {self.application}"


class InTheEngine(models.Manager):
    """The manager of a model whose rows are in the engine's database: it is empty for Django."""

    def get_queryset(self) -> Any:
        """An empty result without a query, so that ``dumpdata`` and the like find nothing instead of failing."""
        return super().get_queryset().none()


class Message(models.Model):
    """A message of the engine. It has no table here: the admin gets it from the engine."""

    id = models.TextField(primary_key=True)

    objects = InTheEngine()

    class Meta:
        """Only for permissions, and for an entry in the admin."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions = (("resend_message", "Can send messages again"),)


class Endpoint(models.Model):
    """An endpoint of the engine. It has no table here: the admin gets it from the engine."""

    id = models.TextField(primary_key=True)

    objects = InTheEngine()

    class Meta:
        """Only for permissions, and for an entry in the admin."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions = (("recover_endpoint", "Can recover failed messages of endpoints"),)


class Attempt(models.Model):
    """An attempt of the engine. It has no table here: the admin gets it from the engine."""

    id = models.TextField(primary_key=True)

    objects = InTheEngine()

    class Meta:
        """Only for permissions, and for an entry in the admin."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
