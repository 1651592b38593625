"""An app of the small Django project: it notes the endpoints that were disabled in a file."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings


class ShopConfig(AppConfig):
    name = "shop_app"

    def ready(self) -> None:
        from webhook_engine.integrations.django.signals import endpoint_disabled  # noqa: PLC0415

        endpoint_disabled.connect(note)


def note(event: Any, **_: Any) -> None:
    with (settings.DIRECTORY / "disabled.txt").open("a") as file:
        file.write(f"{event.endpoint_uid} {event.reason}\n")
