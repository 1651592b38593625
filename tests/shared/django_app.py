"""A small Django program with several workers for the tests; its own tables are in the database of the engine."""

from __future__ import annotations

import os
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from webhook_engine import SyncSharedEngine

_parts = urlsplit(os.environ["DATABASE"])
_given = parse_qs(_parts.query)
settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _parts.path.strip("/"),
            "HOST": _given["host"][0],
            "USER": _given["user"][0],
        }
    },
)
django.setup()

from webhook_engine.integrations.django import enqueue  # noqa: E402 (of a project that is set up)

webhooks = SyncSharedEngine.open(os.environ["DATABASE"], allow_subnets=["127.0.0.1/32"])


def who(_: HttpRequest) -> JsonResponse:
    """Who answers, and whether the engine runs there."""
    webhooks.start()  # harmless where it runs
    return JsonResponse({"pid": os.getpid(), "leading": webhooks.leading})


def pay(_: HttpRequest) -> JsonResponse:
    """Send a message in a transaction of Django's."""
    with transaction.atomic():
        message_id = enqueue(application="acme", event_type="a.b", payload={"pid": os.getpid()})
    return JsonResponse({"pid": os.getpid(), "leading": webhooks.leading, "id": message_id})


urlpatterns = [path("", who), path("enqueue", pay)]
application = get_wsgi_application()
