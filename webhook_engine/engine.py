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

    One engine at a time holds a database; it may be started again after it stopped. Its managers work for one
    organization; :meth:`organization` gives the same managers for another.
    """

    def serve(self, listen: str | None = None) -> Server:
        """The HTTP API, the portal and Play in this process, for ``async with engine.serve(…) as server:``.

        ``listen`` is as ``server.listen``, which holds without it; ``server.url`` tells what it became. The engine must
        be running for as long as the server.
        """
        from webhook_engine.server.listener import Server  # noqa: PLC0415 (a host that serves nothing need not load it)

        return Server(self, listen)

    def asgi(self) -> Mount:
        """The same as an ASGI application, to mount in your own: ``app.mount("/webhooks", engine.asgi())``.

        It serves while the engine runs in the same event loop, and answers 503 otherwise. As an application by itself
        it starts the engine and stops it. Set ``server.public_url`` to how browsers reach it; without that, links
        carry the address that the first request came to.
        """
        from webhook_engine.server.mount import Mount  # noqa: PLC0415 (as above)

        return Mount(self, lambda: self)

    def metrics_collector(self) -> Collector:
        """The metrics for a registry of prometheus_client: ``REGISTRY.register(engine.metrics_collector())``.

        Any thread may collect them, whether the engine runs or not. Two engines in one process need two registries.
        """
        from webhook_engine.server.metrics import EngineCollector  # noqa: PLC0415 (as above)

        return EngineCollector(self)
