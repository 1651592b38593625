"""What the engine lacks is not the receiver's failure."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from delivery.http.sending import send
from receivers import Receiver

from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.troubles import Lack

# What the engine itself lacks.


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Below all that are open but the standard ones: what is closed meanwhile, by whomever, cannot be had again either.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("name", ["127.0.0.1", "nothing.invalid"])
async def test_without_a_file_descriptor_nothing_is_the_receivers_failure(sender: Sender, name: str) -> None:
    async with Receiver() as idle, Receiver() as receiver:
        await send(sender, idle.url)
        with no_descriptor_left():
            answer = await send(sender, receiver.url.replace("127.0.0.1", name))
        assert (answer.status_code, answer.failure, answer.lack) == (0, FailureKind.OWN, Lack.DESCRIPTORS), answer
        assert "no file descriptor is left" in answer.text
        # What was kept for later is given up for what is needed now.
        assert sender._world.idle_count == 0
        assert (await send(sender, receiver.url)).failure is None


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (OSError(errno.ENOBUFS, "x"), Lack.MEMORY),
        (OSError(errno.ENOMEM, "x"), Lack.MEMORY),
        (MemoryError(), Lack.MEMORY),
        (OSError(errno.EADDRNOTAVAIL, "x"), Lack.PORTS),
    ],
)
async def test_what_is_lacking_when_connecting_is_named(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, error: BaseException, lack: Lack
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fail)
    answer = await send(sender, "http://127.0.0.1:9/")
    assert (answer.failure, answer.lack) == (FailureKind.OWN, lack)


async def test_an_address_that_this_machine_cannot_have_is_no_lack_of_ports(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "x")

    def connect(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "x")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fail)
    monkeypatch.setattr(socket, "socket", type("Socket", (socket.socket,), {"connect": connect}))
    answer = await send(sender, "http://127.0.0.1:9/")
    assert answer.failure is FailureKind.CONNECT
