"""A server at its address, and what it costs the engine that is at work already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, sys, webhook_engine

async def main():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with webhook_engine.Engine.open(sys.argv[1]) as engine:
        server = engine.serve("127.0.0.1:0")
        assert "webhook_engine.server.site" not in sys.modules
        counting = asyncio.create_task(count())
        async with server:
            print(turns)
        counting.cancel()

asyncio.run(main())
"""


def test_deliveries_go_on_while_a_server_is_loaded(tmp_path: Path) -> None:
    # In a process of its own, where nothing of it is loaded yet.
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "e.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 100
