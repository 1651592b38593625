"""The engine that a host program uses: the core, and a server on top of it where one is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webhook_engine.core import EngineCore

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from webhook_engine.server.listener import Server
    from webhook_engine.server.mount import Mount

__all__ = ["Engine"]


class Engine(EngineCore):
    """Delivers webhooks. Use it as an async context manager::

        async with Engine.open("webhooks.db") as engine:
            await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})

    On SQLite, one engine at a time holds a database. An engine may be started again after it stopped. Its managers
    work for one organization; :meth:`organization` gives the same managers for another.
    """

    def serve(self, listen: str | None = None) -> Server:
        """The HTTP API, the portal and Play in this process, for ``async with engine.serve(…) as server:``.

        ``listen`` overrides the setting ``server.listen``; ``server.url`` is the resulting URL. The engine must run for
        as long as the server.
        """
        from webhook_engine.server.listener import Server  # noqa: PLC0415 (not needed by hosts that serve nothing)

        return Server(self, listen)

    def asgi(self) -> Mount:
        """The same as an ASGI application, to mount in your own: ``app.mount("/webhooks", engine.asgi())``.

        It serves while the engine runs in the same event loop, and responds 503 otherwise. Run as the top-level
        application, it starts and stops the engine. Set ``server.public_url`` to the URL for browsers; without it,
        links use the address of the first request.
        """
        from webhook_engine.server.mount import Mount  # noqa: PLC0415 (as above)

        return Mount(self, lambda: self)

    def metrics_collector(self) -> Collector:
        """The metrics for a registry of prometheus_client: ``REGISTRY.register(engine.metrics_collector())``.

        Any thread may collect them, whether the engine runs or not. Two engines in one process need two registries.
        """
        from webhook_engine.server.metrics import EngineCollector  # noqa: PLC0415 (as above)

        return EngineCollector(self)
