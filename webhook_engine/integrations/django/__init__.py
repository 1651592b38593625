"""Django: the outbox in your own database and transactions, and the engine as a management command.

>>> INSTALLED_APPS = [..., "webhook_engine.integrations.django"]
>>> WEBHOOK_ENGINE = {"DATABASE": BASE_DIR / "webhooks.db", "SETTINGS": {"retry_schedule": ["5s", "5m"]}}
>>> with transaction.atomic():
...     invoice.save()
...     enqueue(application="acme", event_type="invoice.paid", payload={"id": invoice.pk})

``manage.py migrate`` creates the outbox table, ``manage.py webhook_engine`` runs the engine.
"""

from webhook_engine.integrations.django.messages import aenqueue, enqueue
from webhook_engine.integrations.django.receiving import verify_webhook

__all__ = ["aenqueue", "enqueue", "verify_webhook"]
