"""How a row of the outbox is noticed."""

from __future__ import annotations

from pathlib import Path

from engines import acme, local_engine, noticed_within
from receivers import Receiver
from stores import add_rows


async def test_a_row_is_noticed_within_100_ms(tmp_path: Path) -> None:
    database = tmp_path / "e.db"

    async def add() -> None:
        add_rows(database, ("acme", "a.b", "{}"))

    async with Receiver() as receiver, local_engine(database) as engine:
        await acme(engine, receiver.url)
        await engine.join(timeout=5)
        await noticed_within(0.1, receiver, add)
