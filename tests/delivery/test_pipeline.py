"""Waiting until all is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import (
    Answers,
    acme,
    destination,
    local_engine,
    send,
)
from receivers import Receiver, hanging

from webhook_engine import (
    AttemptStatus,
)


async def test_join_waits_for_what_was_accepted_and_times_out_if_it_takes_too_long(tmp_path: Path) -> None:
    async with hanging() as hang, local_engine(tmp_path / "e.db", shutdown_grace="0s") as engine:
        await acme(engine, hang.url)
        await engine.join(timeout=10)
        await send(engine)
        with pytest.raises(TimeoutError):
            await engine.join(timeout=0.1)


async def test_join_does_not_wait_for_what_is_scheduled_for_later(tmp_path: Path) -> None:
    async with Receiver(Answers(500)) as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=3)
        assert (await destination(engine, message)).status is AttemptStatus.SENDING
