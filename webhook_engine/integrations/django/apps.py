"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["WebhookEngineConfig"]


class WebhookEngineConfig(AppConfig):
    """Its migration makes the outbox table."""

    name = "webhook_engine.integrations.django"
    label = "webhook_engine"
    verbose_name = "Webhook Engine"
