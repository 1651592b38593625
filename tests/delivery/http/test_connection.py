"""The states of a connection, over a transport that does nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webhook_engine.delivery.http.connection import MAX_EARLY, Connection, Origin, State
from webhook_engine.delivery.http.head import MalformedError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False
        self.unsent = 0

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.written.append(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Keeper:
    def __init__(self) -> None:
        self.told: list[str] = []

    def connected(self, _connection: Connection) -> None:
        self.told.append("connected")

    def closed(self, _connection: Connection) -> None:
        self.told.append("closed")

    def gone(self, _connection: Connection) -> None:
        self.told.append("gone")


class Made:
    """A connection in a state, and what is around it."""

    def __init__(self, state: State) -> None:
        self.transport, self.keeper = Transport(), Keeper()
        loop = asyncio.get_running_loop()
        self.connection = Connection(Origin("a.example", 80, False), self.keeper, response_limit=100, loop=loop)
        self.connection.connection_made(self.transport)
        if state in (State.ACTIVE, State.IDLE):
            self.waiter = self.connection.ask(b"head", b"body")
        if state is State.IDLE:
            self.connection.data_received(OK)
            assert self.connection.rest()
        if state is State.CLOSED:
            self.connection.close()
        assert self.connection.state is state


@pytest.mark.parametrize(
    ("state", "done", "then"),
    [
        (State.NEW, "ask", State.ACTIVE),
        (State.NEW, "close", State.CLOSED),
        (State.NEW, "end", State.CLOSED),
        (State.NEW, "data", State.NEW),
        (State.NEW, "lost", State.CLOSED),
        (State.ACTIVE, "ask", None),
        (State.ACTIVE, "close", State.CLOSED),
        (State.ACTIVE, "end", State.CLOSED),
        (State.ACTIVE, "data", State.ACTIVE),
        (State.ACTIVE, "lost", State.CLOSED),
        (State.ACTIVE, "expire", State.ACTIVE),
        (State.ACTIVE, "rest", State.CLOSED),
        (State.IDLE, "ask", State.ACTIVE),
        (State.IDLE, "close", State.CLOSED),
        (State.IDLE, "end", State.IDLE),
        (State.IDLE, "data", State.CLOSED),
        (State.IDLE, "lost", State.CLOSED),
        (State.IDLE, "expire", State.IDLE),
        (State.CLOSED, "ask", State.CLOSED),
        (State.CLOSED, "close", State.CLOSED),
        (State.CLOSED, "end", State.CLOSED),
        (State.CLOSED, "data", State.CLOSED),
        (State.CLOSED, "lost", State.CLOSED),
        (State.CLOSED, "rest", State.CLOSED),
    ],
)
async def test_what_follows_in_each_state(state: State, done: str, then: State | None) -> None:
    made = Made(state)
    steps = {
        "ask": lambda: made.connection.ask(b"head", b"body"),
        "close": made.connection.close,
        "end": made.connection.end,
        "data": lambda: made.connection.data_received(b"HTTP/1.1 200 OK\r\n"),
        "lost": lambda: made.connection.connection_lost(None),
        "expire": made.connection.expire,
        "rest": made.connection.rest,
    }
    if then is None:
        with pytest.raises(RuntimeError, match=f"{state.name.lower()} cannot become active"):
            steps[done]()
        return
    steps[done]()
    assert made.connection.state is then
    assert made.transport.aborted == (then is State.CLOSED)
    assert made.keeper.told.count("closed") == (then is State.CLOSED)


async def test_whoever_waits_is_told_once_whatever_comes_together() -> None:
    made = Made(State.ACTIVE)
    made.connection.data_received(OK)
    assert made.waiter.done()
    made.connection.expire()
    made.connection.eof_received()
    made.connection.connection_lost(ConnectionResetError())
    assert made.connection.reader.done
    assert not made.connection.expired
    assert made.connection.error is None


async def test_a_response_that_has_come_counts_though_its_time_is_over() -> None:
    made = Made(State.ACTIVE)
    made.connection.expire()
    assert made.waiter.done()
    assert made.connection.expired
    assert made.connection.reader.head is None
    assert not made.connection.rest()


async def test_a_caller_who_has_gone_leaves_no_trouble() -> None:
    made = Made(State.ACTIVE)
    made.waiter.cancel()
    made.connection.data_received(OK)
    made.connection.close()
    assert made.connection.state is State.CLOSED


async def test_what_is_no_http_ends_the_wait() -> None:
    made = Made(State.ACTIVE)
    made.connection.data_received(b"hello")
    assert made.waiter.done()
    assert isinstance(made.connection.error, MalformedError)


async def test_a_head_and_a_body_go_out_in_one_write() -> None:
    for body in (b"x", b"x" * 100_000):
        made = Made(State.NEW)
        made.connection.ask(b"head", body)
        assert made.transport.written == [b"head" + body]


async def test_a_connection_that_was_answered_early_is_closed() -> None:
    made = Made(State.ACTIVE)
    made.transport.unsent = 1
    made.connection.data_received(OK)
    assert not made.connection.rest()


@pytest.mark.parametrize(("state", "heard"), [(State.NEW, False), (State.IDLE, False), (State.IDLE, True)])
async def test_only_an_idle_connection_that_dies_unheard_was_closed_while_idle(state: State, heard: bool) -> None:
    made = Made(state)
    made.connection.ask(b"head", b"body")
    if heard:
        made.connection.data_received(b"H")
    made.connection.connection_lost(None)
    assert made.connection.was_closed_while_idle == (state is State.IDLE and not heard)


async def test_what_comes_before_the_first_request_is_its_response() -> None:
    for early, status in ((b"220 mail.example ESMTP\r\n", None), (OK.replace(b"200", b"503"), 503)):
        made = Made(State.NEW)
        made.connection.data_received(early)
        waiter = made.connection.ask(b"head", b"body")
        assert waiter.done()
        head = made.connection.reader.head
        assert (head.status if head else None) == status


async def test_what_comes_before_the_first_request_is_bounded() -> None:
    made = Made(State.NEW)
    for _ in range(2):
        made.connection.data_received(b"x" * MAX_EARLY)
    assert made.connection.state is State.CLOSED
    waiter = made.connection.ask(b"head", b"body")
    assert waiter.done()
    assert made.connection.error is not None
