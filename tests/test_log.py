"""The engine logs what changes, with ids and without secrets, and leaves the host's logging alone."""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from engines import acme, local_engine, send
from receivers import Receiver

from webhook_engine import EndpointDisabledEvent, Engine

SENSITIVE = "correct-horse-battery-staple"


async def eventful(engine: Engine, url: str) -> tuple[list[str], list[str]]:
    """Let much happen; returns ids that should be logged, and secrets that must not."""
    secret = "whsec_" + base64.b64encode(b"s3cr3t" * 5).decode()
    headers = {"authorization": f"Bearer {SENSITIVE}", "x-api-key": SENSITIVE}
    endpoint = await acme(engine, url, secret=secret, headers=headers)
    rotated = await engine.endpoints.rotate_secret("acme", endpoint.id)
    message = await engine.messages.create("acme", event_type="a.b", payload={"card": SENSITIVE})
    await engine.join(timeout=5)
    await engine.endpoints.send_example("acme", endpoint.id, "svix.ping")
    task = await engine.endpoints.recover("acme", endpoint.id, since=endpoint.created_at)
    await engine.join(timeout=5)
    await engine.endpoints.delete("acme", endpoint.id)
    return [endpoint.id, message.id, task.id], [secret, secret[6:], rotated, rotated[6:], SENSITIVE]


async def test_changes_are_logged_with_ids_and_nothing_secret_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "webhook_engine")
    async with (
        Receiver([500, 410, 200]) as receiver,
        local_engine(tmp_path / "e.db", retry_schedule=["1ms", "1ms"]) as engine,
    ):
        ids, secrets = await eventful(engine, receiver.url)

        @engine.on(EndpointDisabledEvent)
        def raising(_event: EndpointDisabledEvent) -> None:
            raise RuntimeError("on purpose")

    main_secret = (tmp_path / "e.db.main_secret").read_text().strip()
    logged = "\n".join(
        f"{record.name} {record.getMessage()} {record.__dict__.get('event_dict')} {record.exc_text}"
        for record in caplog.records
    )
    for identifier in ids:
        assert identifier in logged
    signatures = [request.headers["webhook-signature"] for request in receiver.requests]
    signatures = [one for signature in signatures for one in signature.replace("v1,", "").split()]
    assert len(signatures) >= 3
    for secret in (*secrets, *signatures, main_secret):
        assert secret not in logged
    for event in ("engine.started", "attempt.failed", "endpoint.disabled", "endpoint.created", "task.finished"):
        assert event in logged
    shown = capsys.readouterr()
    assert not shown.out


async def test_each_log_record_has_its_event_and_ids_as_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "webhook_engine")
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
    [record] = [one for one in caplog.records if one.getMessage().startswith("attempt.failed")]
    values = record.__dict__["event_dict"]
    assert (values["endpoint_id"], values["message_id"], values["status_code"]) == (endpoint.id, message, 500)
    assert record.name == "webhook_engine.delivery"


async def test_the_hosts_own_structlog_is_not_disturbed(tmp_path: Path) -> None:
    seen: list[dict] = []

    def keep(_logger: object, _method: str, event: dict) -> str:
        seen.append(dict(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], cache_logger_on_first_use=False)
    try:
        configured = structlog.get_config()
        async with Receiver(500) as receiver, local_engine(tmp_path / "e.db") as engine:
            await acme(engine, receiver.url)
            await send(engine)
            await engine.join(timeout=5)
        assert structlog.get_config() == configured
        assert not seen
        structlog.get_logger().info("of the host")
        assert [one["event"] for one in seen] == ["of the host"]
    finally:
        structlog.configure(**before)


async def test_the_engine_adds_no_handler_and_changes_no_level(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.getLogger("webhook_engine").level)
    switch_interval = sys.getswitchinterval()
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
    assert (list(root.handlers), root.level, logging.getLogger("webhook_engine").level) == before
    assert not logging.getLogger("webhook_engine").handlers
    assert sys.getswitchinterval() == switch_interval


def test_a_host_that_configures_nothing_sees_nothing_on_standard_output(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from webhook_engine import Engine

async def main():
    async with Engine.open(sys.argv[1], retry_schedule=[]) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await engine.endpoints.create("acme", url="http://127.0.0.1:9/")
        await engine.messages.create("acme", event_type="a.b", payload={})
        await engine.join(timeout=10)

asyncio.run(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "e.db")], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
