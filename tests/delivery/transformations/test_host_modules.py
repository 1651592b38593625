"""Modules of the platform that have transformations."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from engines import acme, local_engine, send
from receivers import Receiver

from webhook_engine import ConfigError, OutgoingWebhook, transformation


def raising(webhook: OutgoingWebhook) -> None:
    raise KeyError("customer")


MODULE = """
from webhook_engine import transformation

@transformation("shout")
async def shout(webhook):
    webhook.payload = {"text": webhook.event_type.upper()}
"""


async def test_modules_of_the_configuration_have_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_hooks.py").write_text(MODULE)
    (tmp_path / "no_hooks.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = {"transformations__modules": ["own_hooks"]}
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **modules) as engine:
        await acme(engine, receiver.url, transformation="shout")
        await send(engine)
        await engine.join(timeout=5)
        assert receiver.bodies == [b'{"text":"INVOICE.PAID"}']
    for name, words in (("nowhere_to_be_found", "cannot be imported"), ("no_hooks", "has no function")):
        with pytest.raises(ConfigError, match=words):
            local_engine(tmp_path / "f.db", transformations__modules=[name])
    sys.modules.pop("own_hooks")
    assert transformation("a")(raising) is raising
