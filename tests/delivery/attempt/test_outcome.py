"""What the outcome of a request says of how much its receiver can bear."""

from __future__ import annotations

import pytest

from webhook_engine.delivery.attempt.outcome import Reaction, reaction_to
from webhook_engine.delivery.http.response import FailureKind, Response


@pytest.mark.parametrize(
    ("response", "reaction"),
    [
        (Response(200, "", None, 12), Reaction.QUICK),
        (Response(500, "", FailureKind.STATUS, 12), Reaction.QUICK),
        (Response(200, "", None, 1_200), Reaction.SLOW),
        (Response(429, "", FailureKind.STATUS, 12), Reaction.OVERLOADED),
        (Response(0, "", FailureKind.CONNECT, 12), Reaction.OVERLOADED),
        (Response(0, "", FailureKind.TIMEOUT, 15_000, timed_out=True), Reaction.TIMEOUT),
        # A success whose body does not end holds a place as long as a request that times out.
        (Response(200, "", None, 15_000, timed_out=True), Reaction.TIMEOUT),
    ],
)
def test_reactions(response: Response, reaction: Reaction) -> None:
    assert reaction_to(response) is reaction
