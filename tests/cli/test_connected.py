"""Instants as commands take them."""

from __future__ import annotations

import pytest
from commands import World

from webhook_engine.cli.connected import instant


@pytest.mark.parametrize("since", ["1x", "yesterday", "99999999999d", ""])
def test_a_time_that_is_none_is_explained(world: World, since: str) -> None:
    done = world("recover", "acme", "ep", "--since", since)
    assert done.code == 2
    assert "--since" in done.err


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert instant("2030-01-31", "--since") == "2030-01-31T00:00:00+00:00"
    assert instant("2030-01-31T12:00:00+02:00", "--since") == "2030-01-31T10:00:00+00:00"
    early, late = instant("1h", "--since"), instant("1h", "--since", ahead=True)
    assert early is not None
    assert late is not None
    assert early < late
