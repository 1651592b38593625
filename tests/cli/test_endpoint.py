"""Endpoints from the command line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import trustme
from commands import World


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so, as a person would who looks again and again."""
    ends_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_endpoints(world: World, acme: str) -> None:
    world("event-type", "create", "a.b")
    made = world.json(
        "endpoint", "create", acme, f"{world.hook}/good", "--uid", "ep", "--event-type", "a.b", "--channel", "c",
        "--header", "X-One: 1", "--description", "d",
    )  # fmt: skip
    assert (made["eventTypes"], made["channels"], made["description"]) == (["a.b"], ["c"], "d")
    changed = world.json(
        "endpoint", "update", acme, "ep", "--all-event-types", "--all-channels", "--to", "http://x.test/"
    )
    assert (changed["eventTypes"], changed["channels"], changed["url"]) == (None, None, "http://x.test/")
    assert world("endpoint", "update", acme, "ep").code == 2
    taken = world("endpoint", "create", acme, "http://x.test/", "--uid", "ep")
    assert (taken.code, f"another endpoint of {acme} has the uid 'ep'" in taken.err) == (1, True)
    assert "recover" in world("endpoint", "enable", acme, "ep").out
    world("endpoint", "disable", acme, "ep")
    assert re.search(r"^ep_\w+ +ep +disabled +http://x.test/ +all$", world("endpoint", "list", acme).out, re.MULTILINE)
    shown = world("endpoint", "headers", acme, "ep", "--set", "Authorization: Bearer x", "--remove", "X-One").out
    assert "Authorization  (sensitive, not shown)" in shown
    assert "X-One" not in shown
    assert world("endpoint", "headers", acme, "ep", "--set", "nonsense").code == 2
    secret = world("endpoint", "secret", acme, "ep").out
    assert re.fullmatch(r"whsec_\S+\n", secret)
    rotated = world("endpoint", "rotate", acme, "ep", "--grace", "1h").out
    assert world("endpoint", "secret", acme, "ep").out == rotated != secret
    assert world("endpoint", "rotate", acme, "ep", "--grace", "1").code == 2
    assert world("endpoint", "delete", acme, "ep").code == 0
    assert world("endpoint", "list", acme).err == "There are none.\n"


def test_what_an_endpoint_asks_for(world: World, acme: str) -> None:
    made = world.json(
        "endpoint", "create", acme, world.hook, "--uid", "own", "--timeout", "2s", "--retry", "5s", "--retry", "1h"
    )
    assert (made["timeout"], made["retrySchedule"]) == ("2s", ["5s", "1h"])
    shown = world("endpoint", "get", acme, "own").out
    assert re.search(r"^timeout +2s$", shown, re.MULTILINE)
    assert re.search(r"^retries +after 5s, 1h$", shown, re.MULTILINE)
    assert world.json("endpoint", "update", acme, "own", "--no-retries")["retrySchedule"] == []
    bare = world.json("endpoint", "update", acme, "own", "--retry", "", "--timeout", "")
    assert not {"timeout", "retrySchedule"} & bare.keys()
    refused = world("endpoint", "update", acme, "own", "--timeout", "1h")
    assert (refused.code, 'from "1ms" to "30s"' in refused.err) == (2, True)
    apart = ("--timeout-for", "a.*=2s", "--retry-for", "a.b=5s,5m", "--retry-for", "c=")
    made = world.json("endpoint", "update", acme, "own", *apart)
    assert made["timeoutByEventType"] == {"a.*": "2s"}
    assert made["retryScheduleByEventType"] == {"a.b": ["5s", "5m"], "c": []}
    assert "a.b retries after 5s, 5m; c retries after none" in world("endpoint", "get", acme, "own").out
    made = world.json("endpoint", "update", acme, "own", "--timeout-for", "", "--retry-for", "")
    assert not {"timeoutByEventType", "retryScheduleByEventType"} & made.keys()
    said = '{"amount": {"$gt": 100}}'
    assert world.json("endpoint", "update", acme, "own", "--filter", said)["filter"] == {"amount": {"$gt": 100}}
    assert said in world("endpoint", "get", acme, "own").out
    assert "filter" not in world.json("endpoint", "update", acme, "own", "--filter", "")
    assert world("endpoint", "update", acme, "own", "--filter", "[1]").code == 2
    assert "no operator" in world("endpoint", "update", acme, "own", "--filter", '{"a": {"$x": 1}}').err
    raw = ("--method", "PUT", "--query", "a=1", "--compression", "gzip", "--user-agent", "X/1", "--content-type", "a/b")
    kept = {"method": "PUT", "query": {"a": "1"}, "compression": "gzip", "userAgent": "X/1", "contentType": "a/b"}
    assert world.json("endpoint", "update", acme, "own", *raw).items() >= kept.items()
    shown = world("endpoint", "get", acme, "own").out
    assert re.search(r"^query +a=1$", shown, re.MULTILINE)
    nothing = [part for name in raw[::2] for part in (name, "")]
    assert not kept.keys() & world.json("endpoint", "update", acme, "own", *nothing).keys()
    world("endpoint", "delete", acme, "own")


def test_how_requests_to_an_endpoint_are_authenticated(world: World, acme: str, tmp_path: Path) -> None:
    wanted = tmp_path / "authentication.json"
    wanted.write_text('{"type": "basic", "username": "acme", "password": "p4ss"}')
    made = world.json("endpoint", "create", acme, world.hook, "--uid", "basic", "--authentication", f"@{wanted}")
    assert made["authentication"] == {"type": "basic", "username": "acme", "password": "*****"}
    assert re.search(r"^authentication +basic as acme$", world("endpoint", "get", acme, "basic").out, re.MULTILINE)
    assert "is on its way" in world("endpoint", "try-authentication", acme, "basic").out
    token_server = '{"type": "oauth2", "tokenUrl": "http://127.0.0.1:9/", "clientId": "a", "clientSecret": "s3cret"}'
    world.json("endpoint", "update", acme, "basic", "--authentication", token_server)
    tried = world("endpoint", "try-authentication", acme, "basic")
    assert (tried.code, "no access token" in tried.err, "s3cret" in tried.err) == (1, True, False)
    assert "authentication" not in world.json("endpoint", "update", acme, "basic", "--authentication", "")
    assert world("endpoint", "update", acme, "basic", "--authentication", "{").code == 2
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    tls = world.json("endpoint", "update", acme, "basic", "--tls-ca", str(authority))["tls"]
    assert tls == {"ca": authority.read_text()}
    assert re.search(r"^tls +authorities of its own$", world("endpoint", "get", acme, "basic").out, re.MULTILINE)
    assert world("endpoint", "update", acme, "basic", "--tls-key", str(tmp_path / "none")).code == 2
    assert "tls" not in world.json("endpoint", "update", acme, "basic", "--no-tls")
    world("endpoint", "delete", acme, "basic")


def test_a_filter_is_tried_on_an_example(world: World, acme: str) -> None:
    said = '{"amount": {"$gt": 100}}'
    assert world("endpoint", "try-filter", acme, said, '{"amount": 101}').out == "it is let through\n"
    refused = world("endpoint", "try-filter", acme, said, '{"amount": 1}')
    assert (refused.code, f"not let through: {said} does not hold" in refused.out) == (1, True)
    assert world("endpoint", "try-filter", acme, '{"a": {"$x": 1}}', "{}").code == 2
    assert world("endpoint", "try-filter", acme, said, "{").code == 2
    made = world.json("endpoint", "create", acme, world.hook, "--filter", said)
    message = world.json("send", acme, "a.b", "{}")["id"]
    shown = world("message", "get", acme, message).out
    assert re.search(rf"^{made['id']} +its filter does not let the payload through: ", shown, re.MULTILINE)
    world("endpoint", "delete", acme, made["id"])


def test_what_requests_to_an_endpoint_are_changed_by(world: World, acme: str, tmp_path: Path) -> None:
    made = world.json("endpoint", "create", acme, world.hook, "--uid", "changed", "--transformation", "slack")
    assert made["transformation"] == "slack"
    assert re.search(r"^transformation +slack$", world("endpoint", "get", acme, "changed").out, re.MULTILINE)
    assert "transformation" not in world.json("endpoint", "update", acme, "changed", "--transformation", "")
    assert world("endpoint", "transformation", acme, "changed").out == "There is none.\n"
    script = tmp_path / "script.js"
    script.write_text("function handler(webhook) { return webhook }")
    refused = world("endpoint", "transformation", acme, "changed", "--code", str(script))
    assert (refused.code, "transformations.scripts" in refused.err) == (1, True)
    assert world("endpoint", "transformation", acme, "changed", "--code", str(tmp_path / "none")).code == 2
    world("endpoint", "delete", acme, "changed")


def test_an_example_of_an_event_type(world: World, acme: str) -> None:
    world("event-type", "create", "example.made")
    world.json("endpoint", "create", acme, f"{world.hook}/example", "--uid", "ep")
    done = world("endpoint", "send-example", acme, "ep", "example.made")
    if done.code == 0:
        world.bodies("/example", 1)
    else:
        assert "example" in done.err


def test_the_order_of_an_endpoint(world: World, acme: str) -> None:
    made = world.json(
        "endpoint", "create", acme, f"{world.hook}/bad/fifo", "--uid", "fifo",
        "--ordering", "fifo", "--on-exhausted", "stop", "--circuit-breaker",
    )  # fmt: skip
    assert (made["ordering"], made["orderingOnExhausted"], made["circuitBreaker"]) == ("fifo", "stop", True)
    shown = world("endpoint", "get", acme, "fifo").out
    assert re.search(r" fifo, stop when exhausted$", shown, re.MULTILINE)
    sent = [world.json("send", acme, "a.b", "{}", "--ordering-key", "k")["id"] for _ in range(2)]

    def heads() -> list[dict[str, object]]:
        found = world.json("endpoint", "orders", acme, "fifo")
        return list(found["data"] if isinstance(found, dict) else found)

    def stopped_at(message: str) -> bool:
        return [(one["messageId"], one["state"]) for one in heads()] == [(message, "stopped")]

    eventually(lambda: stopped_at(sent[0]))
    assert re.search(rf"k +{sent[0]}", world("endpoint", "orders", acme, "fifo").out)
    assert world("endpoint", "skip", acme, "fifo", sent[0]).code == 0
    eventually(lambda: stopped_at(sent[1]))
    assert world("endpoint", "skip", acme, "fifo", sent[0]).code == 1
    assert world("endpoint", "update", acme, "fifo", "--batch-size", "5", "--batch-wait", "1s").code == 0
    assert world.json("endpoint", "update", acme, "fifo", "--no-circuit-breaker")["circuitBreaker"] is False
