"""A small Django project: ``migrate`` makes the outbox, ``atomic`` decides on messages, a command delivers them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from receivers import Receiver

from webhook_engine import Engine

HERE = Path(__file__).parent


async def test_a_project_from_migration_to_delivery(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SHOP_DIRECTORY": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "shop_settings",
        "PYTHONPATH": str(HERE),
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async with Receiver() as receiver:
        async with Engine.open(tmp_path / "webhooks.db") as engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.endpoints.create("acme", url=receiver.url)
        assert "0001_outbox" in await asyncio.to_thread(run, "-m", "django", "migrate")
        said = json.loads(await asyncio.to_thread(run, str(HERE / "django_child.py")))
        assert said["genuine"] == [200, {"type": "invoice.paid"}]
        assert said["altered"] == [401, "invalid_signature"]
        assert said["guarded"] == 403
        server = subprocess.Popen(
            [sys.executable, "-m", "django", "webhook_engine"], env=environment, stdout=subprocess.PIPE
        )
        try:
            [request] = await receiver.wait_for(1, timeout=30)
            assert request.headers["webhook-id"] == said["paid"]
        finally:
            server.send_signal(signal.SIGTERM)
            out, _ = await asyncio.to_thread(server.communicate, timeout=20)
        assert server.returncode == 0
        assert b"delivering" in out
        assert len(receiver.requests) == 1
