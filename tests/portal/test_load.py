"""How much the pages weigh, and how quick they are with much to show."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, expect
from receivers import Receiver

from webhook_engine.ids import id_bounds

from .conftest import Stage, staged

FIRST_LOAD = 150_000
ENDPOINTS = 1_000
MESSAGES = 100_000
APART = 100_000
"""Microseconds between two messages."""
TIMES_LONGER = 3
"""How much longer a page may take to be usable with much to show than with little; both are tried in turns."""
TRIES = 10
"""At most, where the machine is busy with something else."""
BIG = {"text": "words " * 33_000}


@pytest.mark.parametrize("locale", ["en-US", "de-DE", "ja-JP"])
async def test_the_first_load_is_small(stage: Stage, receiver: Receiver, locale: str) -> None:
    await stage.engine.endpoints.create("acme", url=receiver.url)
    page = await stage.page(locale=locale)
    weights: dict[str, int] = {}

    async def weigh(response: Response) -> None:
        sizes = await response.request.sizes()
        weights[response.url] = sizes["responseBodySize"] + sizes["responseHeadersSize"]

    seen: list[Response] = []
    page.on("response", lambda response: seen.append(response))
    await page.goto(await stage.engine.portal.url("acme"))
    await expect(page.get_by_role("link", name=receiver.url)).to_be_visible()
    for response in filter(_weighs, seen):
        await weigh(response)
    whole = sum([len(await response.body()) for response in seen if _weighs(response)])
    assert sum(weights.values()) < FIRST_LOAD / 2, weights
    assert whole < FIRST_LOAD, whole


def _weighs(response: Response) -> bool:
    """Whether it has a body that comes to an end; a stream of changes does not."""
    return response.ok and response.status != 204 and not response.url.endswith("/changes")


def pages(endpoint: str, message: str) -> dict[str, tuple[str, str]]:
    """Each page with its address, and what it can be used from."""
    return {
        "endpoints": ("/endpoints", "li.item-endpoint"),
        "messages": ("/messages", "li.item-message"),
        "found": ("/messages?q=evt-500", "li.item-message"),
        "failed": ("/messages?state=2", "li.item-message"),
        "message": (f"/messages/{message}", "details.attempt"),
        "endpoint": (f"/endpoints/{endpoint}", "li.item-message"),
        "verify": (f"/endpoints/{endpoint}?tab=verify", ".code-box"),
        "statistics": ("/statistics", ".chart"),
    }


async def opened_in(stage: Stage, page: Page, address: str, ready: str) -> float:
    """How long it takes until a page can be used, in seconds."""
    await page.goto("about:blank")
    began = time.perf_counter()
    await page.goto(f"{stage.url}/portal/#{address}")
    await page.locator(ready).first.wait_for()
    return time.perf_counter() - began


def _fill(database: Path, application_id: str, endpoint_ids: Sequence[str]) -> None:
    """Put many messages of the last hours into a database, each with an attempt."""
    now = time.time_ns() // 1_000
    instants = range(now - MESSAGES * APART, now, APART)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT INTO webhook_message (id, application_id, event_type, event_id, created_at, payload)"
            " VALUES (?, ?, 'invoice.paid', ?, ?, ?)",
            (
                (id_bounds("msg_", at)[0], application_id, f"evt-{number}", at, f'{{"n":{number}}}'.encode())
                for number, at in enumerate(instants, 1_000)
            ),
        )
        connection.executemany(
            "INSERT INTO webhook_attempt (message_id, id, endpoint_id, status, status_code, duration_ms, trigger, url,"
            " request_headers, response) VALUES (?, ?, ?, ?, ?, ?, 0, '', '{}', x'')",
            (
                (
                    id_bounds("msg_", at)[0],
                    id_bounds("atmpt_", at)[0],
                    endpoint_ids[number % len(endpoint_ids)],
                    *((2, 503) if number % 10 == 0 else (0, 200)),
                    number * 7 % 3_000,
                )
                for number, at in enumerate(instants, 1_000)
            ),
        )


async def shown(stage: Stage, receiver: Receiver, endpoints: int) -> tuple[Page, dict[str, tuple[str, str]]]:
    """The portal of a stage with these endpoints, the last of which has a message that failed; and its pages."""
    *_, endpoint = await asyncio.gather(
        *(
            stage.engine.endpoints.create("acme", url=f"{receiver.url}/{number}", channels=[f"c{number}"])
            for number in range(endpoints)
        )
    )
    message = await stage.engine.messages.create(
        "acme", event_type="invoice.paid", event_id="evt-500", payload={**BIG, "bad": 1}, channels=endpoint.channels
    )
    await stage.engine.join(60)
    return await stage.portal(), pages(endpoint.id, message.id)


@pytest.mark.timeout(600)
async def test_pages_are_about_as_quick_with_much_to_show_as_with_little(tmp_path: Path) -> None:
    async with (
        Receiver(lambda request: 500 if b"bad" in request.body else 200) as receiver,
        staged(tmp_path / "little.db", retry_schedule=[]) as little,
        staged(tmp_path / "much.db", retry_schedule=[]) as much,
    ):
        page_of_little, pages_of_little = await shown(little, receiver, 1)
        page, pages_of_much = await shown(much, receiver, ENDPOINTS)
        application = await much.engine.applications.get("acme")
        endpoints = [one.id async for one in much.engine.endpoints.iterate("acme")]
        await asyncio.to_thread(_fill, tmp_path / "much.db", application.id, endpoints)
        slow = {}
        for name in pages_of_much:
            short = long = math.inf
            for _ in range(TRIES):
                short = min(short, await opened_in(little, page_of_little, *pages_of_little[name]))
                long = min(long, await opened_in(much, page, *pages_of_much[name]))
                if long < short * TIMES_LONGER:
                    break
            else:
                slow[name] = short, long
            print(f"{name}: usable in {long * 1e3:.0f} ms with much to show, in {short * 1e3:.0f} ms with little")
        assert slow == {}

        # What is far back is found all the same, and the page says how far it has looked meanwhile.
        await page.goto(f"{much.url}/portal/#/messages?q=%7B%22n%22%3A1007%7D")
        await expect(page.get_by_text("evt-1007", exact=False).first).to_be_visible(timeout=60_000)
