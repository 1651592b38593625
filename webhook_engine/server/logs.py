"""The daemon's log, on standard error: lines for people on a terminal, JSON for programs elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from webhook_engine.config.sections import LogConfig

__all__ = ["configure_logging"]


def configure_logging(config: LogConfig) -> None:
    """Send all log records of the process to standard error, as configured; for a process that is ours alone."""
    as_json = config.format == "json" or (config.format is None and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else _for_people())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level.upper())
    # What the libraries below tell about every connection is for those who work on them.
    for noisy in ("asyncio", "aiohttp", "aiosqlite"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


class JsonFormatter(logging.Formatter):
    """Makes of each record one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            **_values(record),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


def _for_people() -> logging.Formatter:
    # What draws tracebacks on a terminal takes 7 MiB, which a service has no use for.
    import structlog  # noqa: PLC0415

    def structured(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        record = event_dict["_record"]
        event_dict.update(_values(record))
        event_dict["logger"] = record.name
        return event_dict

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structured,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=25),
        ],
    )


def _values(record: logging.LogRecord) -> dict[str, Any]:
    """The event and its values, where the package's own loggers put them."""
    return getattr(record, "event_dict", None) or {"event": record.getMessage()}
