"""Opening and closing a store: one after the other, and a closing to its end."""

from __future__ import annotations

import asyncio

import pytest

from webhook_engine.store.turns import Turns


async def test_a_closing_waits_for_an_opening_and_goes_on_without_its_caller() -> None:
    turns, said = Turns(), []

    async def let_go() -> None:
        said.append("begun")
        await asyncio.sleep(0)
        said.append("done")

    async with turns.one_at_a_time():
        caller = asyncio.create_task(turns.close(let_go))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert said == []
    async with turns.one_at_a_time():
        assert said == ["begun", "done"]


def test_the_next_event_loop_may_be_another() -> None:
    turns, said = Turns(), []

    async def let_go() -> None:
        said.append(asyncio.get_running_loop())

    for _ in range(2):
        asyncio.run(turns.close(let_go))
    assert len(set(said)) == 2
