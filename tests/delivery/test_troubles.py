"""What the engine itself lacks: recognised by its error, counted, and said in the log without flooding it."""

from __future__ import annotations

import errno
import logging
import os
import socket

import pytest

from webhook_engine.delivery.troubles import Lack, Troubles, lack_of
from webhook_engine.errors import SecretsUnreadableError

MINUTE = 60_000_000


def caused_by(cause: OSError) -> Exception:
    error = RuntimeError("could not connect")
    error.__cause__ = cause
    return error


def of(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (of(errno.EMFILE), Lack.DESCRIPTORS),
        (of(errno.ENFILE), Lack.DESCRIPTORS),
        (of(errno.ENOMEM), Lack.MEMORY),
        (of(errno.ENOBUFS), Lack.MEMORY),
        (MemoryError(), Lack.MEMORY),
        (SecretsUnreadableError("encrypted with another main secret"), Lack.SECRETS),
        (of(errno.EADDRNOTAVAIL), Lack.PORTS),
        (of(errno.ENOSPC), Lack.DISK),
        (caused_by(of(errno.EMFILE)), Lack.DESCRIPTORS),
        (of(errno.ECONNREFUSED), None),
        (of(errno.ENETUNREACH), None),
        (caused_by(of(errno.ECONNRESET)), None),
        (TimeoutError(), None),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), None),
        # In the numbers of the look-up of names, where 12 would be ENOMEM on some systems.
        (socket.gaierror(-12, "?"), None),
    ],
)
def test_an_error_tells_what_is_lacking(error: Exception, lack: Lack | None) -> None:
    assert lack_of(error) is lack


def test_troubles_are_counted_and_the_last_is_kept() -> None:
    troubles = Troubles()
    troubles.met(Lack.DESCRIPTORS, "Too many open files", 1)
    troubles.met(Lack.DESCRIPTORS, "Too many open files in system", 2)
    troubles.met(Lack.PROXY, "the proxy answered 407", 3)
    assert [troubles.count(lack) for lack in Lack] == [2, 0, 0, 1, 0, 0, 0]
    first, second = troubles.present(3)
    assert (first.count, first.last_at, first.last_text) == (2, 2, "Too many open files in system")
    assert second.lack is Lack.PROXY
    assert [trouble.lack for trouble in troubles.present(2 + MINUTE)] == [Lack.PROXY]
    assert troubles.present(4 + MINUTE) == []


def test_the_log_says_it_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    with caplog.at_level(logging.ERROR, "webhook_engine.troubles"):
        for second in range(130):
            troubles.met(Lack.DESCRIPTORS, "Too many open files", second * 1_000_000)
        troubles.met(Lack.MEMORY, "Cannot allocate memory", 130_000_000)
    assert len(caplog.records) == 4
    assert "LimitNOFILE" in caplog.text


@pytest.mark.parametrize("lack", Lack)
def test_each_comes_with_advice(lack: Lack) -> None:
    troubles = Troubles()
    troubles.met(lack, "", 0)
    [trouble] = troubles.present(0)
    assert trouble.advice
