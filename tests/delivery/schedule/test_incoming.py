"""Deliveries that other engines have stored, on their way into the lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from engines import acme, local_engine, send
from flow_parts import make_due
from receivers import Receiver

from webhook_engine.delivery.schedule import incoming as incoming_module
from webhook_engine.delivery.schedule.dispatcher import Dispatcher
from webhook_engine.delivery.schedule.incoming import Incoming
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.store.members import Given
from webhook_engine.store.records import Due


class Noted:
    """A dispatcher that notes what it is told."""

    stopping = False

    def __init__(self) -> None:
        self.stored: list[tuple[str, int]] = []
        self.taken: list[tuple[list[str], list[str]]] = []
        self.errands: list[asyncio.Task[None]] = []

    def more_accepted(self, given: Given) -> None:
        self.stored.append((given.endpoint_id, given.due_at))

    def errand(self, work: Coroutine[None, None, None]) -> None:
        self.errands.append(asyncio.create_task(work))

    def begin_to_take_up(self) -> int:
        return 7

    def take_up(self, wanted: Sequence[Given], found: Sequence[Due], since: int) -> None:
        assert since == 7
        self.taken.append(([one.endpoint_id for one in wanted], [due.message_id for due in found]))


async def taken_up(given: Sequence[Given], *, fails: bool = False) -> tuple[Noted, list[Sequence[tuple[str, str]]]]:
    dispatcher, reads = Noted(), []

    async def read(wanted: Sequence[tuple[str, str]]) -> Sequence[Due]:
        reads.append(wanted)
        if fails:
            raise StoreUnavailableError("away")
        return [make_due(message_id, endpoint_id) for endpoint_id, message_id in wanted]

    incoming = Incoming(cast(Dispatcher, dispatcher), read)
    for one in given:
        incoming.add([one])
    await asyncio.gather(*dispatcher.errands)
    return dispatcher, reads


async def test_what_many_endpoints_were_given_is_read_together() -> None:
    given = [Given(f"ep_{number}", number, 5, [f"msg_{number}", "msg_x"]) for number in range(3)]
    dispatcher, reads = await taken_up(given)
    assert [len(wanted) for wanted in reads] == [6]
    assert dispatcher.taken == [(["ep_0", "ep_1", "ep_2"], [f"msg_{one}" for one in "0x1x2x"])]
    assert dispatcher.stored == []


async def test_what_has_no_names_is_looked_for_by_its_lane() -> None:
    dispatcher, reads = await taken_up([Given("ep_1", 1, 5)])
    assert (dispatcher.stored, reads) == ([("ep_1", 5)], [])


async def test_so_much_is_read_at_once_and_so_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_module, "AT_ONCE", 2)
    monkeypatch.setattr(incoming_module, "MOST_WAITING", 3)
    dispatcher, reads = await taken_up([Given(f"ep_{number}", 1, 5, ["msg_1"]) for number in range(5)])
    assert [len(wanted) for wanted in reads] == [2, 1]
    assert dispatcher.stored == [("ep_3", 5), ("ep_4", 5)]


async def test_what_cannot_be_read_is_left_to_the_lanes() -> None:
    dispatcher, _ = await taken_up([Given("ep_1", 1, 5, ["msg_1"])], fails=True)
    assert dispatcher.taken == [(["ep_1"], [])]


async def test_what_was_delivered_while_it_was_read_is_not_delivered_again(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        [endpoint] = (await engine.endpoints.list("acme")).data
        dispatcher: Any = engine.services.flow._dispatcher
        since = dispatcher.begin_to_take_up()
        message_id = await send(engine)
        await engine.join(timeout=20)
        due = make_due(message_id, endpoint.id)
        dispatcher.take_up([Given(endpoint.id, 0, due.due_at, [message_id])], [due], since)
        await engine.join(timeout=20)
        assert [request.message_id for request in receiver.requests] == [message_id]
