"""Which connections are kept, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from delivery.http.sending import make_sender, send
from receivers import Receiver

from webhook_engine.delivery.http import pool as pools
from webhook_engine.delivery.http.connection import LOOKED_AT_AFTER_S
from webhook_engine.delivery.http.sender import Sender


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with make_sender() as ready:
        yield ready


async def settled(sender: Sender, count: int) -> None:
    async with asyncio.timeout(20):
        while sender._world.open_count != count:
            await asyncio.sleep(0.01)


async def test_a_connection_that_rests_for_long_is_closed(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "KEEPALIVE_S", 0.2)
    async with Receiver() as receiver:
        await send(sender, receiver.url)
        assert sender._world.idle_count == 1
        await settled(sender, 0)
        assert sender._world.idle_count == 0
        await send(sender, receiver.url)
        assert receiver.connections == 2


async def test_the_one_that_was_used_last_is_used_next(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "KEEPALIVE_S", 0.6)
    async with Receiver() as receiver:
        await asyncio.gather(*(send(sender, receiver.url) for _ in range(3)))
        assert sender._world.idle_count == 3
        # One after the other needs but one of them; the others are closed in time.
        async with asyncio.timeout(20):
            while sender._world.open_count > 1:
                await send(sender, receiver.url)
                await asyncio.sleep(0.02)
        assert receiver.connections == 3


async def test_a_connection_that_the_other_side_closes_is_forgotten(sender: Sender) -> None:
    async with Receiver() as receiver:
        await send(sender, receiver.url)
    await settled(sender, 0)
    assert sender._world.idle_count == 0


async def test_what_has_come_and_was_not_read_yet_is_seen_before_the_connection_is_used(sender: Sender) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def behave(_r: object, _q: object, _reader: object, writer: asyncio.StreamWriter) -> bool:
        writers.append(writer)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    async with Receiver(behaviour=behave) as receiver:
        await send(sender, receiver.url)
        await asyncio.sleep(2 * LOOKED_AT_AFTER_S)
        writers[0].write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        # It has arrived here, and the event loop had no turn to read it.
        assert (await send(sender, receiver.url)).status_code == 200
        assert receiver.connections == len(receiver.requests) == 2
