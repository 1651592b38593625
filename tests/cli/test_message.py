"""What came of a message, and sending it again, from the command line."""

from __future__ import annotations

import re
import time

from commands import World


def test_what_comes_of_a_message_and_sending_it_again(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/again", "--uid", "bad")
    world.hooks.broken = True
    message = world.json("send", acme, "a.b", "{}")["id"]
    world.settled(acme, 1)
    assert re.search(rf"^{message} +a\.b +\S+ \S+ +fail +1 failed$", world("message", "list", acme).out, re.MULTILINE)
    assert world("message", "list", acme, "--status", "success").err == "There are none.\n"
    assert re.search(r"^ep_\w+ +fail +- +http", world("message", "get", acme, message).out, re.MULTILINE)
    world.hooks.broken = False
    assert world("resend", acme, message, "bad").code == 0
    world.bodies("/bad/again", 2)
    until = time.monotonic() + 10
    while len(lines := world("message", "attempts", acme, message).out.splitlines()) < 3:
        assert time.monotonic() < until
    assert [line.split()[3:5] for line in lines[1:]] == [["success", "200"], ["fail", "500"]]
    assert [re.split(r"  +", line)[5] for line in lines[1:]] == ["hand", "schedule"]
    assert world.json("endpoint", "stats", acme, "bad", "--since", "1h")["fail"] == 1
    assert re.search(r"^success +1$", world("endpoint", "stats", acme, "bad").out, re.MULTILINE)
    assert len(world("endpoint", "attempts", acme, "bad", "--status", "fail").out.splitlines()) == 2
    world("message", "expunge", acme, message)
    assert '{"expired":true}' in world("message", "get", acme, message).out
