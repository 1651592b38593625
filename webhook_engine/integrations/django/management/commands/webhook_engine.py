"""``manage.py webhook_engine``: run the engine until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.apps import apps
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webhook_engine.errors import WebhookEngineError
from webhook_engine.integrations.django.configuration import configuration, outbox_aliases
from webhook_engine.integrations.django.signals import send_signals
from webhook_engine.shared import SharedEngine

__all__ = ["Command"]


class Command(BaseCommand):
    """Runs the engine; of several such processes one runs it, and the others stand by."""

    help = "Deliver the webhooks that this project enqueues, until SIGTERM or SIGINT."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--listen", help="also serve the API and the portal at this address, such as 127.0.0.1:8071"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the engine until it is stopped."""
        try:
            ours = [apps.get_app_config("webhook_engine")]
            self.check(app_configs=ours, tags=[Tags.database], databases=outbox_aliases())
            asyncio.run(self._run(options["listen"]))
        except WebhookEngineError as error:
            raise CommandError(str(error)) from error

    async def _run(self, listen: str | None) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopping = asyncio.ensure_future(stop.wait())
        shared = SharedEngine(configuration())
        send_signals(shared)
        async with shared:
            leading = asyncio.ensure_future(shared.wait_until_leading())
            await asyncio.wait([leading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                leading.cancel()
                return
            self.stdout.write(f"webhook engine: delivering from {shared.config.store.shown}")
            self.stdout.flush()
            if listen:
                async with shared.engine.serve(listen) as server:
                    self.stdout.write(f"webhook engine: serving {server.url}")
                    await stop.wait()
            await stop.wait()
