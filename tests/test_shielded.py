"""Steps that a cancellation does not cut off from one another."""

from __future__ import annotations

import asyncio

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.shielded import shielded


async def test_steps_are_finished_before_a_cancellation_goes_on() -> None:
    gate, done = asyncio.Event(), []

    async def steps() -> None:
        await gate.wait()
        done.append(1)

    task = asyncio.create_task(shielded(steps()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


async def test_steps_return_and_raise_like_a_plain_call() -> None:
    async def number() -> int:
        return 5

    async def trouble() -> int:
        raise ValidationError("x", "is wrong")

    assert await shielded(number()) == 5
    with pytest.raises(ValidationError):
        await shielded(trouble())


async def test_a_failure_after_a_cancellation_is_not_left_over() -> None:
    gate = asyncio.Event()

    async def trouble() -> None:
        await gate.wait()
        raise ValidationError("x", "is wrong")

    task = asyncio.create_task(shielded(trouble()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
