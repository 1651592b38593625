"""Large payloads in front of filters: they hold up those behind them, and nobody else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from engines import acme, ids_of, local_engine, send, until
from receivers import Receiver

from webhook_engine import Engine, Message
from webhook_engine.delivery.accept import payload_filter
from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.payload_filter import PayloadFilter, passing
from webhook_engine.rules.payload import LARGE

PAYLOAD = {"kind": "large", "text": "x" * LARGE}


class Gate:
    """Filters large payloads when it is opened."""

    def __init__(self) -> None:
        self.asked = 0
        self.opened = False

    def open(self) -> None:
        self.opened = True

    async def passing(self, filters: Iterable[PayloadFilter], payload: bytes) -> Sequence[bool]:
        self.asked += 1
        await until(lambda: self.opened)
        return passing(filters, payload)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(FilterProcess, "passing", lambda _, *asked: gate.passing(*asked))
    yield gate
    gate.open()


async def create(engine: Engine, application: str = "acme") -> Message:
    return await engine.messages.create(application, event_type="invoice.paid", payload=PAYLOAD)


async def at_the_gate(engine: Engine, gate: Gate) -> asyncio.Task[Message]:
    """A message that is being looked at."""
    large = asyncio.create_task(create(engine))
    await until(lambda: gate.asked)
    return large


async def test_others_pass_and_those_behind_it_keep_their_order(tmp_path: Path, gate: Gate) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, filter={"kind": "large"})
        await acme(engine, receiver.url, ordering="fifo")
        await engine.applications.create(name="Other", uid="other")
        await engine.endpoints.create("other", url=receiver.url, filter={"n": 1})
        await send(engine, 1, "acme")
        await engine.join(timeout=5)
        large = await at_the_gate(engine, gate)
        behind = asyncio.create_task(send(engine, 1))
        other = await send(engine, 1, "other")
        await until(lambda: other in ids_of(receiver))
        assert engine.services.flow.oldest_unstored() is not None
        assert not large.done()
        assert not behind.done()
        gate.open()
        first, second = (await large).id, await behind
        await engine.join(timeout=5)
        assert [one for one in ids_of(receiver) if one in (first, second)].index(first) == 0
        assert ids_of(receiver).count(first) == 2, "one filters and one keeps order"
        assert ids_of(receiver).count(second) == 1


async def test_an_edit_meanwhile_counts(tmp_path: Path, gate: Gate) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url, filter={"kind": "large"})
        await send(engine, 1)
        large = await at_the_gate(engine, gate)
        await engine.endpoints.update("acme", endpoint.id, filter={"kind": "small"})
        gate.open()
        message = await large
        await engine.join(timeout=5)
        assert message.id not in ids_of(receiver)
        assert gate.asked == 2, "it was looked at once more, and not in the event loop"


async def test_what_is_being_looked_at_is_stored_before_the_engine_stops(tmp_path: Path, gate: Gate) -> None:
    async with Receiver() as receiver:
        async with local_engine(tmp_path / "e.db") as engine:
            await acme(engine, receiver.url, filter={"kind": "large"})
            await send(engine, 1)
            large = await at_the_gate(engine, gate)
            asyncio.get_running_loop().call_later(0.05, gate.open)
        message = await large
        async with local_engine(tmp_path / "e.db") as engine:
            await engine.join(timeout=5)
            assert message.id in ids_of(receiver)


async def test_the_event_loop_does_not_read_what_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, filter={"kind": "large"})
        await acme(engine, receiver.url, filter={"kind": "small"})
        engine.services.directory.forget_endpoints((await engine.applications.get("acme")).id)
        monkeypatch.setattr(payload_filter, "Content", None)
        message = await create(engine)
        pid = engine.services.flow.filter_process.pid
        assert pid is not None
        await engine.join(timeout=5)
        assert ids_of(receiver) == [message.id]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_where_there_is_no_thread_it_is_done_like_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Sequence[bool]:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(FilterProcess, "passing", refuse)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, filter={"kind": "large"})
        await send(engine, 1)
        message = await create(engine)
        await engine.join(timeout=5)
        assert ids_of(receiver) == [message.id]
