"""Whether the threads of this process are threads: gevent and eventlet put something else in their place.

An engine needs threads that run while others wait. If they are greenlets, all on one thread, its event loop would block
the whole program, so an engine refuses to start there.
"""

from __future__ import annotations

import sys

from webhook_engine.errors import EngineNotRunningError

__all__ = ["replaced_by", "require_native_threads"]


def replaced_by() -> str | None:
    """The library that has replaced the threads of this process; ``None`` if they are native."""
    # Neither library is imported for this: if it is not loaded, it has replaced nothing.
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def require_native_threads() -> None:
    """Raise ``EngineNotRunningError`` if the threads of this process are not native."""
    library = replaced_by()
    if library is not None:
        raise EngineNotRunningError(
            f"{library} has replaced the threads of this process (monkey patching), and an engine cannot run without "
            "them. Enqueueing works here; run the engine in a process of its own that is not patched: `flask "
            "webhook-engine`, `manage.py webhook_engine` or `webhook-engine serve`. Or use another kind of worker, "
            "such as gthread"
        )
