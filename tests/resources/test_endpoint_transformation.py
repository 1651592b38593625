"""What an endpoint has its requests changed by: chosen, and tried without sending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from consumer_scripts import SCRIPT, needs_scripts
from engines import acme, local_engine, send
from receivers import Receiver

from webhook_engine import ConfigError, ValidationError


async def test_an_endpoint_chooses_among_those_that_there_are(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        with pytest.raises(ValidationError, match="discord, slack, teams"):
            await acme(engine, receiver.url, transformation="own")
        endpoint = await acme(engine, receiver.url, transformation="slack")
        assert endpoint.transformation == "slack"
        await send(engine)
        await engine.join(timeout=5)
        assert receiver.requests[0].payload["text"] == "invoice.paid"
        await engine.endpoints.update("acme", endpoint.id, transformation=None)
        await send(engine)
        await engine.join(timeout=5)
        assert receiver.requests[1].payload == {"n": 1}


@needs_scripts
async def test_a_script_is_tried_without_sending_anything(tmp_path: Path) -> None:
    settings = {"transformations__scripts": True}
    async with Receiver() as receiver, local_engine(tmp_path / "e.db", **settings) as engine:
        endpoint = await acme(engine, receiver.url)

        async def tried(code: str) -> Any:
            return await engine.endpoints.simulate_transformation(
                "acme", endpoint.id, code=code, payload={"n": 2}, event_type="a.b", variables={"who": "us"}
            )

        trial = await tried(SCRIPT)
        assert (trial.payload, trial.url, trial.method) == ('{"said":"a.b","n":2,"by":"us"}', receiver.url, "POST")
        assert (trial.headers, trial.problem) == ({"X-Said": "1"}, None)
        assert (await tried("function handler(webhook) { return {...webhook, cancel: true} }")).cancelled
        assert "no such" in (await tried("function handler(webhook) { throw Error('no such') }")).problem
        assert "url" in (await tried("function handler(webhook) { webhook.url = 'x'; return webhook }")).problem
        assert (await tried("function handler(webhook) { console.log(7); return webhook }")).logs == ("7",)
        with pytest.raises(ValidationError):
            await tried("short")
        assert receiver.requests == []


async def test_scripts_are_off_until_the_operator_allows_them(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, "http://127.0.0.1:9/")
        with pytest.raises(ConfigError, match=r"transformations\.scripts = true"):
            await engine.endpoints.patch_transformation("acme", endpoint.id, code=SCRIPT)
