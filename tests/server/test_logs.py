"""What the daemon's log looks like, on a terminal and elsewhere."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from webhook_engine.config.sections import LogConfig
from webhook_engine.log import get_logger
from webhook_engine.server.logs import configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "asyncio", "aiohttp", "aiosqlite")]
    before = [(each, list(each.handlers), each.level) for each in loggers]
    yield
    for each, handlers, level in before:
        each.handlers[:] = handlers
        each.setLevel(level)


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **settings: str) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LogConfig(**settings))  # type: ignore[arg-type]
    return stream


def test_elsewhere_each_event_is_a_line_of_json_with_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = written(monkeypatch, io.StringIO())
    get_logger("daemon").info("daemon.serving", url="http://[::1]:1", count=3, what={1})
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "daemon.serving",
        "url": "http://[::1]:1",
        "count": 3,
        "what": "{1}",
        "logger": "webhook_engine.daemon",
        "level": "info",
    }


def test_what_others_log_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = written(monkeypatch, io.StringIO())
    logging.getLogger("another").warning("%d of them", 3)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("3 of them", "another", "warning")


def test_an_exception_comes_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = written(monkeypatch, io.StringIO())
    log = get_logger("daemon")
    try:
        raise ValueError("on purpose")
    except ValueError as error:
        log.exception("one.broken")
        kept = error
    log.error("two.broken", exc_info=kept)
    log.critical("three.broken", exc_info=kept)
    log.error("whole")
    *broken, whole = map(json.loads, stream.getvalue().splitlines())
    assert [each["level"] for each in broken] == ["error", "error", "critical"]
    for each in broken:
        assert each["exception"].startswith("Traceback")
        assert each["exception"].endswith("ValueError: on purpose")
    assert "exception" not in whole


@pytest.mark.parametrize(("stream", "settings"), [(Terminal(), {}), (io.StringIO(), {"format": "console"})])
def test_people_get_lines_in_words(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, settings: dict[str, str]
) -> None:
    written(monkeypatch, stream, **settings)
    get_logger("daemon").warning("daemon.odd", count=3)
    logging.getLogger("another").warning("three of them")
    first, second = stream.getvalue().splitlines()
    for part in ("warning", "daemon.odd", "count", "3", "webhook_engine.daemon"):
        assert part in first
    assert "three of them" in second


def test_what_is_below_the_level_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = written(monkeypatch, io.StringIO(), level="warning")
    get_logger("daemon").info("daemon.serving")
    get_logger("daemon").debug("daemon.serving")
    assert stream.getvalue() == ""


def test_a_record_says_where_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("daemon").warning("daemon.odd")
    [record] = caplog.records
    assert record.pathname == __file__
