"""What an endpoint has missed is sent from the command line."""

from __future__ import annotations

import re

from commands import World


def test_replay_missing_and_its_task(world: World, acme: str) -> None:
    sent = [world.json("send", acme, "a.b", "{}")["id"] for _ in range(2)]
    world.json("endpoint", "create", acme, f"{world.hook}/late", "--uid", "late")
    begun = world.json("replay-missing", acme, "late", "--since", "1h", "--detach")
    assert begun["task"] == "endpoint.replay"
    assert world("task", "wait", begun["id"]).out == "2 messages\n"
    assert len(world.bodies("/late", 2)) == len(sent)
    assert re.search(rf"^{begun['id']} +endpoint\.replay +finished +2 ", world("task", "list").out, re.MULTILINE)
    assert re.search(r"^messages +2$", world("task", "get", begun["id"]).out, re.MULTILINE)
