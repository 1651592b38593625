"""Which connection goes when there are too many."""

from __future__ import annotations

from webhook_engine.server.connections import SLOW_BODY_S, Connections


def of(*names: str) -> Connections[str]:
    connections = Connections[str]()
    for name in names:
        connections.opened(name)
    return connections


def test_the_one_that_is_idle_for_longest_goes_first() -> None:
    connections = of("a", "b", "c")
    assert connections.to_close(0) == "a"
    connections.working("a")
    assert connections.to_close(0) == "b"
    connections.idle("a")
    for name in ("b", "c", "a"):
        assert connections.to_close(0) == name
        connections.closed(name)
    assert connections.to_close(0) is None
    assert len(connections) == 0


def test_one_that_is_at_work_never_goes() -> None:
    connections = of("a")
    connections.working("a")
    assert connections.to_close(1_000) is None
    assert len(connections) == 1


def test_a_body_that_drips_goes_after_those_that_are_idle_and_not_at_once() -> None:
    connections = of("slow", "idle")
    connections.receiving("slow", 10)
    assert connections.to_close(1_000) == "idle"
    connections.closed("idle")
    assert connections.to_close(10 + SLOW_BODY_S / 2) is None
    assert connections.to_close(10 + SLOW_BODY_S) == "slow"


def test_what_is_gone_does_not_come_back() -> None:
    connections = of("a")
    connections.working("a")
    connections.closed("a")
    connections.idle("a")
    connections.receiving("a", 0)
    connections.working("a")
    connections.closed("a")
    assert len(connections) == 0
