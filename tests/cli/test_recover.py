"""A recovery is followed to its end."""

from __future__ import annotations

from commands import World
from program import run_on_terminal

from webhook_engine.cli.client import Client

# Work in the background.


def test_recover_follows_the_task_to_its_end(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/recover", "--uid", "bad")
    world.hooks.broken = True
    for _ in range(3):
        world("send", acme, "a.b", "{}")
    world.settled(acme, 3)
    world.hooks.broken = False
    done = world("recover", acme, "bad", "--since", "1h")
    assert (done.code, done.out, done.err) == (0, "3 failed messages are scheduled again\n", "")
    world.bodies("/bad/recover", 6)
    assert {message["statusText"] for message in world.settled(acme, 3)} == {"success"}
    ended = world.json("recover", acme, "bad", "--since", "1h")
    assert (ended["status"], ended["data"]["processed"]) == ("finished", 0)


def test_a_recovery_of_several_pages_knows_its_end_and_shows_it(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/bad/many", "--uid", "bad")
    world.hooks.broken = True
    with Client(world.url, world.token) as client:
        for _ in range(260):
            client.post(["app", acme, "msg"], {"eventType": "a.b", "payload": {}})
    assert len(world.settled(acme, 260)) == 260
    assert len(world.json("message", "list", acme, "--since", "1h", "--all")["data"]) == 260
    environment = {"WEBHOOK_ENGINE_URL": world.url, "WEBHOOK_ENGINE_TOKEN": world.token}
    shown = run_on_terminal("recover", acme, "bad", "--since", "1h", **environment).stdout
    assert "260 of 260 failed messages" in shown
    world.hooks.broken = False
