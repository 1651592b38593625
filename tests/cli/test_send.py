"""Messages sent from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import World

# Messages.


@pytest.mark.parametrize("payload", [b'{"n":  1.0, "e": 1E2, "u": "\\u00fc\xc3\xbc"}', b' {"a": 1}\n', b"{}"])
@pytest.mark.parametrize("way", ["argument", "file", "input", "nothing"])
def test_a_payload_is_delivered_to_the_byte(
    world: World, acme: str, payload: bytes, way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / "payload"
    file.write_bytes(payload)
    given = {"argument": [payload.decode()], "file": [f"@{file}"], "input": ["-"], "nothing": []}[way]
    path = f"/{abs(hash(request.node.name))}"
    world.json("endpoint", "create", acme, world.hook + path)
    done = world("send", acme, "a.b", *given, stdin=payload)
    assert re.match(r"msg_\w+ is accepted; ", done.out)
    assert world.bodies(path, 1) == [payload]


@pytest.mark.parametrize("payload", ["", "  ", "{id:1}", "[1]", '"x"', '{"a":1} {}', "@no-such-file", "["])
def test_what_is_no_payload_is_refused_here(world: World, payload: str) -> None:
    done = world("send", "acme", "a.b", payload)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: PAYLOAD")


def test_bytes_that_are_no_text_are_refused(world: World) -> None:
    assert "byte 1" in world("send", "acme", "a.b", stdin=b"{\xff}").err


def test_anything_can_be_sent_if_it_is_meant(world: World, acme: str) -> None:
    world.json("endpoint", "create", acme, f"{world.hook}/raw")
    assert world("send", acme, "a.b", "no <JSON>", "--raw").code == 0
    assert world.bodies("/raw", 1) == [b"no <JSON>"]


def test_a_payload_may_be_sent_as_something_else_than_json(world: World, acme: str) -> None:
    made = world.json("send", acme, "a.b", "<x/>", "--raw", "--content-type", "application/xml")
    assert made["contentType"] == "application/xml"
    assert "application/xml" in world("message", "get", acme, made["id"]).out
    assert world.json("send", acme, "a.b", "{}", "--content-type", "application/ld+json")["contentType"]


def test_options_of_a_message(world: World, acme: str) -> None:
    options = ["--event-id", "e1", "--channel", "c", "--tag", "t", "--deliver-at", "2h"]
    made = world.json("send", acme, "a.b", '{"a":1}', *options)
    assert (made["eventId"], made["channels"], made["tags"]) == ("e1", ["c"], ["t"])
    assert made["deliverAt"] > made["timestamp"]
    again = world("send", acme, "a.b", "{}", "--event-id", "e1")
    assert again.code == 1
    assert "a message with the event id 'e1' was accepted before; `webhook-engine message get" in again.err
    twice = {world.json("send", acme, "a.b", "{}", "--idempotency-key", "k1")["id"] for _ in range(2)}
    assert len(twice) == 1
    world("endpoint", "create", acme, "http://127.0.0.1:1/", "--channel", "later")
    world.json("send", acme, "a.b", "{}", "--event-id", "e2", "--deliver-at", "2h", "--channel", "later")
    waiting = world("message", "get", acme, "e2").out
    assert re.search(r"^ep_\w+ +pending +20\S+ \S+ +http://127.0.0.1:1/$", waiting, re.MULTILINE)
    shown = world("message", "get", acme, "e1").out
    assert re.search(r'^payload +\{"a":1\}$', shown, re.MULTILINE)
    assert "No endpoint was to have it" in shown
