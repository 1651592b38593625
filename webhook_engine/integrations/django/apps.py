"""The Django app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig

__all__ = ["WebhookEngineConfig"]


class WebhookEngineConfig(AppConfig):
    """Its migration makes the outbox table."""

    name = "webhook_engine.integrations.django"
    label = "webhook_engine"
    verbose_name = "Webhook Engine"

    def ready(self) -> None:
        """Register what ``manage.py check`` asks."""
        import_module("webhook_engine.integrations.django.checks")
