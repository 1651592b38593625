"""For the tests of programs that send webhooks: a receiver, an engine on a temporary file, time travel, assertions.

With pytest, the fixtures ``webhook_engine``, ``webhook_receiver`` and ``webhook_clock`` are there by themselves. All of
it can be used without pytest::

    async with temporary_engine() as engine, Receiver() as receiver:
        ...
        await assert_delivered(engine, event_type="invoice.paid", payload={"id": 1})

What only looks at the outbox (:func:`enqueued`, :func:`assert_enqueued`) needs no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhook_engine.testing.deliveries import Delivered as Delivered
    from webhook_engine.testing.deliveries import assert_delivered as assert_delivered
    from webhook_engine.testing.engines import temporary_engine as temporary_engine
    from webhook_engine.testing.engines import temporary_sync_engine as temporary_sync_engine
    from webhook_engine.testing.engines import travel as travel
    from webhook_engine.testing.expectation import ANY as ANY
    from webhook_engine.testing.outbox import Enqueued as Enqueued
    from webhook_engine.testing.outbox import assert_enqueued as assert_enqueued
    from webhook_engine.testing.outbox import assert_enqueued_async as assert_enqueued_async
    from webhook_engine.testing.outbox import assert_nothing_enqueued as assert_nothing_enqueued
    from webhook_engine.testing.outbox import enqueued as enqueued
    from webhook_engine.testing.outbox import enqueued_async as enqueued_async
    from webhook_engine.testing.receiver import Receiver as Receiver
    from webhook_engine.testing.receiver import Reply as Reply
    from webhook_engine.testing.receiver import Request as Request

_MODULES = {
    "deliveries": ("Delivered", "assert_delivered"),
    "engines": ("temporary_engine", "temporary_sync_engine", "travel"),
    "expectation": ("ANY",),
    "outbox": (
        "Enqueued",
        "assert_enqueued",
        "assert_enqueued_async",
        "assert_nothing_enqueued",
        "enqueued",
        "enqueued_async",
    ),
    "receiver": ("Receiver", "Reply", "Request"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [*_MODULE_OF]  # noqa: PLE0604 (they are names)


def __getattr__(name: str) -> object:
    # pytest loads its plugins, and so this package, in every run; what a run does not use is not imported.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
