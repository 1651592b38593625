"""Applications from the command line."""

from __future__ import annotations

import re

from commands import World

# Applications, event types, endpoints.


def test_applications(world: World) -> None:
    made = world.json(
        "app", "create", "Acme & Söhne", "--uid", "soehne", "--metadata", "plan=gold=1", "--rate-limit", "5"
    )
    assert (made["name"], made["uid"], made["throttleRate"]) == ("Acme & Söhne", "soehne", 5)
    assert made["metadata"] == {"plan": "gold=1"}
    again = world("app", "create", "Acme", "--uid", "soehne")
    assert (again.code, "already exists" in again.err) == (1, True)
    assert world.json("app", "create", "Other", "--uid", "soehne", "--if-missing")["id"] == made["id"]
    shown = world("app", "get", "soehne")
    assert re.search(r"^rate limit +5 messages per second$", shown.out, re.MULTILINE)
    changed = world.json("app", "update", "soehne", "--name", "New", "--uid", "", "--rate-limit", "0")
    assert (changed["name"], changed.get("uid"), changed["throttleRate"]) == ("New", None, None)
    assert world("app", "update", made["id"]).code == 2
    assert world("app", "delete", made["id"]).code == 0
    assert world("app", "get", made["id"]).code == 1
