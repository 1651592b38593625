"""``webhook-engine event-type sync`` and what consumers are given of the event types, with a served engine."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from commands import World
from program import PROGRAM

from webhook_engine import Engine
from webhook_engine.resources.openapi_import import imported_event_types
from webhook_engine.server.tokens import TokenKeys
from webhook_engine.testing import temporary_engine

EVENTS = """
    from dataclasses import dataclass, field
    from webhook_engine import event

    @event("invoice.paid", group_name="billing", examples=[{{"id": 1, "note": "<b>"}}])
    @dataclass
    class InvoicePaid:
        '''An invoice was paid & booked.'''
        id: {id}
        note: str = field(default="", metadata={{"description": "For people"}})

    EVENTS = [InvoicePaid]
    NOTHING = 5
"""


def write(folder: Path, id_type: str) -> None:
    # A module that is rewritten within the same second would be taken from its cache.
    for cached in folder.rglob("*.pyc"):
        cached.unlink()
    (folder / "shop_events.py").write_text(textwrap.dedent(EVENTS.format(id=id_type)))


async def run(engine: Engine, url: str, folder: Path, *arguments: str) -> tuple[int, str, str]:
    token = TokenKeys.of(engine.config).sign({"sub": "org_23rb8YdGqMT0qIzpgGwdXfHirMu"})
    command = [PROGRAM, "event-type", *arguments, "--url", url, "--token", token]
    done = await asyncio.to_thread(
        lambda: subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
async def test_a_registry_is_checked_and_registered(tmp_path: Path) -> None:
    write(tmp_path, "int")
    async with temporary_engine() as engine, engine.serve("127.0.0.1:0") as server:
        code, _, problem = await run(engine, server.url, tmp_path, "sync", "shop_events:EVENTS", "--check")
        assert (code, "not registered as declared: invoice.paid" in problem) == (1, True)
        for registry, said in (("shop_events", "1 of 1 event types changed"), ("shop_events:EVENTS", "0 of 1")):
            code, output, problem = await run(engine, server.url, tmp_path, "sync", registry)
            assert code == 0, problem
            assert said in output
        code, output, _ = await run(engine, server.url, tmp_path, "sync", "shop_events:EVENTS", "--check")
        assert (code, output) == (0, "1 event types are registered as declared\n")
        registered = await engine.event_types.get("invoice.paid")
        assert (registered.description, registered.group_name) == ("An invoice was paid & booked.", "billing")

        write(tmp_path, "str")
        for arguments in (["--check"], []):
            code, _, problem = await run(engine, server.url, tmp_path, "sync", "shop_events", *arguments)
            assert code == 1
            assert "invoice.paid version 1: id: was integer, and may be string now" in problem
        assert (await engine.event_types.get("invoice.paid")).schemas == registered.schemas
        code, _, problem = await run(engine, server.url, tmp_path, "sync", "shop_events", "--allow-breaking")
        assert code == 0, problem
        assert (await engine.event_types.get("invoice.paid")).schemas != registered.schemas


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ("no_such_module", "the module no_such_module cannot be imported"),
        pytest.param("shop_events:MISSING", "shop_events has no MISSING", marks=pytest.mark.slow),
        pytest.param("shop_events:NOTHING", "shop_events:NOTHING: ", marks=pytest.mark.slow),
    ],
)
async def test_a_registry_that_is_none_is_wrong_usage(tmp_path: Path, registry: str, said: str) -> None:
    write(tmp_path, "int")
    async with temporary_engine() as engine, engine.serve("127.0.0.1:0") as server:
        code, _, problem = await run(engine, server.url, tmp_path, "sync", registry)
        assert (code, said in problem) == (2, True), problem


@pytest.mark.slow
async def test_consumers_get_an_openapi_document_and_a_page(tmp_path: Path) -> None:
    write(tmp_path, "int")
    async with temporary_engine() as engine, engine.serve("127.0.0.1:0") as server:
        await run(engine, server.url, tmp_path, "sync", "shop_events")
        code, output, problem = await run(engine, server.url, tmp_path, "openapi", "--title", "Shop")
        assert code == 0, problem
        document = json.loads(output)
        assert (document["openapi"], document["info"]["title"]) == ("3.1.0", "Shop")
        [imported] = [one for one in imported_event_types(document) if one.name == "invoice.paid"]
        registered = await engine.event_types.get("invoice.paid")
        assert imported.description == registered.description
        assert imported.group_name == registered.group_name
        assert imported.schemas == registered.schemas
        code, page, problem = await run(engine, server.url, tmp_path, "catalogue", "--title", "Shop <1>")
        assert code == 0, problem
        assert "<h1>Shop &lt;1&gt;</h1>" in page
        for text in ("An invoice was paid &amp; booked.", "<code>note</code>", "For people", "&lt;b&gt;"):
            assert text in page
        assert "<script" not in page


def test_event_types(world: World, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    made = world.json(
        "event-type", "create", "user.made", "--description", "x", "--schema", str(schema), "--group", "u"
    )
    assert made["schemas"] == {"1": {"type": "object"}}
    schema.write_text("[")
    assert world("event-type", "update", "user.made", "--schema", str(schema)).code == 2
    assert world.json("event-type", "update", "user.made", "--deprecated")["deprecated"] is True
    assert re.search(r"^user\.made +deprecated +u +x$", world("event-type", "list").out, re.MULTILINE)
    assert world("event-type", "delete", "user.made").out == "user.made is archived\n"
    assert "user.made" not in world("event-type", "list", "--all").out
    assert "user.made" in world("event-type", "list", "--all", "--archived").out
    world("event-type", "delete", "user.made", "--expunge")
    assert world("event-type", "get", "user.made").code == 1
