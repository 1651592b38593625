"""The daemon's log, on standard error: text on a terminal, JSON lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from webhook_engine.config.sections import LogConfig

__all__ = ["configure_logging"]

_PRE_CHAIN: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(config: LogConfig) -> None:
    """Send all log records of the process to standard error, as configured. Only for a process of our own."""
    as_json = config.format == "json" or (config.format is None and not sys.stderr.isatty())
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_structured, *_PRE_CHAIN],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level.upper())
    # These libraries log every connection, which helps only their developers.
    for noisy in ("asyncio", "aiohttp", "aiosqlite"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _structured(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take the event and its values from the record, where the package's own loggers put them."""
    record = event_dict["_record"]
    values = getattr(record, "event_dict", None)
    if values is not None:
        event_dict.update(values)
    event_dict["logger"] = record.name
    return event_dict
