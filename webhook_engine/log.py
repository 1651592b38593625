"""Logging: structlog in front of standard ``logging``, under the names ``webhook_engine.*``.

Nothing here configures the process: without handlers of its own a host sees warnings on standard error, as from any
library, and nothing on standard output. A record's message is the event with its values as text; the values
themselves are in the record's attribute ``event_dict``, for handlers that write JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import cast

import structlog

__all__ = ["Logger", "get_logger"]

Logger = structlog.stdlib.BoundLogger

_THE_CALLER = 4
"""Stack frames between structlog's own call and the caller that a record names."""


def get_logger(name: str) -> Logger:
    """The logger ``webhook_engine.<name>``, whatever the host has configured for its own structlog."""
    return cast(
        Logger,
        structlog.wrap_logger(
            logging.getLogger(f"webhook_engine.{name}"),
            processors=[structlog.stdlib.filter_by_level, _to_standard_logging],
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        ),
    )


def _to_standard_logging(
    _logger: object, _method: str, event_dict: MutableMapping[str, object]
) -> tuple[tuple[str, ...], Mapping[str, object]]:
    event = str(event_dict.pop("event"))
    exc_info = event_dict.pop("exc_info", None)
    text = " ".join([event, *(f"{key}={value}" for key, value in event_dict.items())])
    extra = {"event_dict": {"event": event, **event_dict}}
    return ("%s", text), {"extra": extra, "exc_info": exc_info, "stacklevel": _THE_CALLER}
