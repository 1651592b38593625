"""What the API promised and what was recorded, on a disk that fails, is full or read-only, and loses its power then."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import aiohttp
import pytest
from api_clients import Answer, Client
from daemons import daemon, token
from engines import until
from losing import LosingDisk, Nothing
from receivers import Receiver, Request
from stores import about_the_file

FAULTS = {"writes fail": "W", "syncs fail": "S", "it is read-only": "R", "it is full": "F"}
SETTINGS = {"WEBHOOK_ENGINE_DELIVERY__ALLOW_SUBNETS": '["127.0.0.0/8"]'}


async def send(api: Client, number: int) -> Answer:
    return await api.post("/app/acme/msg", {"eventType": "a.b", "payload": {"number": number}})


async def is_delivered(api: Client, message: str) -> bool:
    destinations = (await api.get(f"/app/acme/msg/{message}/endpoint")).json["data"]
    return [one["status"] for one in destinations] == [0]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS)
@about_the_file
async def test_what_was_promised_or_recorded_is_there_after_a_fault_of_the_disk_and_a_loss_of_power(
    tmp_path: Path, session: aiohttp.ClientSession, fault: str
) -> None:
    disk = LosingDisk(tmp_path, tmp_path / "webhook-engine.db")
    answers = asyncio.Event()

    async def answer(_request: Request) -> int:
        await answers.wait()
        return 200

    async with Receiver(answer) as receiver:
        async with daemon(tmp_path, **SETTINGS, **disk.environment) as running:
            api = Client(session, running.url, await token(tmp_path))
            assert (await api.post("/app", {"name": "Acme", "uid": "acme"})).status == 201
            assert (await api.post("/app/acme/endpoint", {"url": receiver.url})).status == 201
            first = (await send(api, 1)).json["id"]
            await receiver.wait_for(1)
            disk.fails(FAULTS[fault])
            refused = await send(api, 2)
            assert (refused.status, "retry-after" in refused.headers) == (503, True), refused
            answers.set()
            await running.until("outcomes.not_recorded")
            assert (await send(api, 3)).status == 503
            disk.fails("N")

            async def accepted() -> Answer | None:
                sent = await send(api, 4)
                return sent if sent.status == 202 else None

            second = (await until(accepted)).json["id"]
            await until(lambda: is_delivered(api, first))
            last = (await send(api, 5)).json["id"]
            await running.end(SIGKILL)
        disk.cut_power(running.process.pid, Nothing())
        async with daemon(tmp_path, **SETTINGS) as running:
            api = Client(session, running.url, await token(tmp_path))
            assert await is_delivered(api, first)
            await until(lambda: is_delivered(api, second))
            await until(lambda: is_delivered(api, last))
            kept = (await api.get("/app/acme/msg")).json["data"]
            assert {one["payload"]["number"] for one in kept} == {1, 4, 5}
        arrived = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert arrived.keys() == {first, second, last}
    assert arrived[first] == 1, "its success was recorded"
