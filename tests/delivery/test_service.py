"""A part of the engine that crashes."""

from __future__ import annotations

from pathlib import Path

import pytest
from engines import (
    acme,
    local_engine,
    send,
    soon,
)
from receivers import Receiver

from webhook_engine import (
    EngineNotRunningError,
)


async def test_a_crash_inside_the_engine_surfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver:
        engine = local_engine(tmp_path / "e.db")

        async def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug of ours")

        async def host() -> None:
            async with engine:
                await acme(engine, receiver.url)
                monkeypatch.setattr(engine._store.deliveries, "record", broken)
                await send(engine)
                with pytest.raises(EngineNotRunningError, match="crashed"):
                    await engine.join(timeout=2)
                with pytest.raises(EngineNotRunningError):
                    await soon(send(engine))

        with pytest.raises(ZeroDivisionError):
            await host()
        monkeypatch.undo()
        async with engine:
            await engine.join(timeout=5)
            assert len(receiver.requests) == 2
