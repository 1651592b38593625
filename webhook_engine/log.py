"""Events and their values, onto standard ``logging`` under the names ``webhook_engine.*``.

Nothing here configures the process: without handlers of its own a host sees warnings on standard error, as from any
library, and nothing on standard output. A record's message is the event with its values as text; the values
themselves are in the record's attribute ``event_dict``, for handlers that write JSON or have structlog render them.
"""

from __future__ import annotations

import logging

__all__ = ["Logger", "get_logger"]

_THE_CALLER = 3
"""How many calls up from where the record is made."""


class Logger:
    """Writes events to a standard logger."""

    __slots__ = ("_standard",)

    def __init__(self, standard: logging.Logger) -> None:
        self._standard = standard

    def debug(self, event: str, **values: object) -> None:
        """For those who look for a fault."""
        self._write(logging.DEBUG, event, values)

    def info(self, event: str, **values: object) -> None:
        """What has changed."""
        self._write(logging.INFO, event, values)

    def warning(self, event: str, **values: object) -> None:
        """What somebody should look at."""
        self._write(logging.WARNING, event, values)

    def error(self, event: str, *, exc_info: BaseException | None = None, **values: object) -> None:
        """What has failed."""
        self._write(logging.ERROR, event, values, exc_info)

    def exception(self, event: str, **values: object) -> None:
        """What has failed, with the exception that is handled just now."""
        self._write(logging.ERROR, event, values, True)

    def critical(self, event: str, *, exc_info: BaseException | None = None, **values: object) -> None:
        """What ends the engine."""
        self._write(logging.CRITICAL, event, values, exc_info)

    def _write(
        self, level: int, event: str, values: dict[str, object], exc_info: BaseException | bool | None = None
    ) -> None:
        if self._standard.isEnabledFor(level):
            text = " ".join([event, *(f"{key}={value}" for key, value in values.items())])
            extra = {"event_dict": {"event": event, **values}}
            self._standard.log(level, "%s", text, exc_info=exc_info, extra=extra, stacklevel=_THE_CALLER)


def get_logger(name: str) -> Logger:
    """The logger ``webhook_engine.<name>``."""
    return Logger(logging.getLogger(f"webhook_engine.{name}"))
