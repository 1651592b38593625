"""Alerts from the command line."""

from __future__ import annotations

import re

from commands import World


def test_alerts(world: World, acme: str) -> None:
    assert world("alert", "list", acme).err == "There are none.\n"
    made = world.json("alert", "create", acme, "webhook", f"{world.hook}/good", "--event", "endpoint.disabled")
    assert (made["kind"], made["to"], made["events"]) == ("webhook", f"{world.hook}/good", ["endpoint.disabled"])
    assert re.search(rf"^{made['id']} +webhook +\S+ +yes$", world("alert", "list", acme).out, re.MULTILINE)
    assert len(world.json("alert", "update", acme, made["id"])["events"]) == 4
    assert "endpoint.failing" in world("alert", "get", acme, made["id"]).out
    assert world("alert", "test", acme, made["id"]).code == 0
    refused = world("alert", "create", acme, "email", "ops@example.com")
    assert (refused.code, "smtp_host" in refused.err) == (2, True)
    assert world("alert", "delete", acme, made["id"]).code == 0
    assert world("alert", "get", acme, made["id"]).code == 1
