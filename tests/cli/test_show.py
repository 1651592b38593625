"""How lists and progress are shown."""

from __future__ import annotations

import re

from commands import World
from program import run_on_terminal


def test_lists_are_aligned_and_go_on(world: World) -> None:
    for number in range(3):
        world.json("app", "create", f"App {number}", "--uid", f"listed-{number}")
    header, *lines = world("app", "list", "--all").out.splitlines()
    assert header.split() == ["ID", "UID", "NAME", "CREATED"]
    dates = [re.search(r"\d{4}-\d\d-\d\d ", line) for line in lines]
    assert {date and date.start() for date in dates} == {header.index("CREATED")}
    first = world("app", "list", "--limit", "2")
    assert len(first.out.splitlines()) == 3
    iterator = re.search(r"--iterator (\S+)", first.err)
    assert iterator
    following = world.json("app", "list", "--iterator", iterator[1])["data"]
    everything = world.json("app", "list", "--all")
    assert everything["done"] is True
    assert following == everything["data"][2:]


def test_nothing_that_is_shown_does_anything_to_a_terminal(world: World) -> None:
    made = world.json("app", "create", "red\x1b[31m\nnext", "--uid", "evil")
    assert "\x1b" in made["name"]
    assert re.search(r"^name +red\?\[31m\?next$", world("app", "get", "evil").out, re.MULTILINE)


# A terminal, and a daemon that is not well.


def test_on_a_terminal_there_are_colors_and_a_bar(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/tty", "--uid", "bad")
    world.hooks.broken = True
    world("send", acme, "a.b", "{}")
    world.settled(acme, 1)
    environment = {"WEBHOOK_ENGINE_URL": world.url, "WEBHOOK_ENGINE_TOKEN": world.token}
    shown = run_on_terminal("message", "list", acme, **environment).stdout
    assert re.search(r"\x1b\[31mfail +\x1b\[0m", shown)
    shown = run_on_terminal("recover", acme, "bad", "--since", "1h", **environment).stdout
    assert "━" in shown
    assert "1 failed message is scheduled again" in shown
    world.hooks.broken = False
