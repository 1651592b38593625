"""The Django app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig

__all__ = ["WebhookEngineConfig"]


class WebhookEngineConfig(AppConfig):
    """The app config; the app's migration creates the outbox table."""

    name = "webhook_engine.integrations.django"
    label = "webhook_engine"
    verbose_name = "Webhook Engine"

    def ready(self) -> None:
        """Register the checks of ``manage.py check``."""
        import_module("webhook_engine.integrations.django.checks")
