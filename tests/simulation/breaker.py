"""The rule of endpoints with a circuit breaker: where nothing but failure was met, nothing is sent for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simulation.model import Endpoint, Model

__all__ = ["Met", "Pauses", "check_breaker"]

SURELY = 20
"""Failures within a minute after which the endpoint waits, whatever was counted before."""
FEW = 10
"""Successes of ten minutes that cannot outweigh them."""
PAUSE_S, LONGEST_PAUSE_S = 30.0, 1_800.0
_NOT_THE_ENGINES = ("receiver", "slow-receiver", "reach", "name")
MINUTE_S, LONG_AGO_S = 60.0, 600.0


class Met(NamedTuple):
    """What one attempt met."""

    ended: float
    began: float
    success: bool
    by_hand: bool


class Pauses:
    """What the engine says of endpoints that wait: so long as the rule says, and nothing is begun until then."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._told: dict[str, tuple[float, float]] = {}
        self._taken_at: dict[str, float] = {}
        """When an endpoint was last asked, and may have said yes."""

    def told(self, endpoint_id: str, now: float, until: float) -> None:
        """An endpoint is to wait until then."""
        pause_s = until - now
        doubled = any(abs(pause_s - PAUSE_S * 2**times) < 0.5 for times in range(6)) or pause_s >= LONGEST_PAUSE_S - 0.5
        if not doubled:
            self._model.violated(f"{endpoint_id} waits for {pause_s:.3f} s from {now:.3f} on, which is no pause")
        self._told[endpoint_id] = (now, until)

    def taken(self, endpoint_id: str, now: float) -> None:
        """It may have taken something: whatever it was told to wait for may be over."""
        self._taken_at[endpoint_id] = now

    def begins(self, endpoint: Endpoint, now: float) -> None:
        """An attempt begins that nobody asked for by hand."""
        told_at, until = self._told.get(endpoint.id, (now, now))
        lately = told_at - self._model.timeout_s - 1
        if (
            told_at < now < until - 0.01
            and self._taken_at.get(endpoint.id, -1.0) < lately
            and not self._model.troubles.between(told_at - 1, now, leaving_out=_NOT_THE_ENGINES)
            and True not in endpoint.values(endpoint.closed, lately, now)
        ):
            self._model.violated(
                f"{endpoint.key}: an attempt begins at {now:.3f}, and it was said at {told_at:.3f} that it waits until "
                f"{until:.3f}"
            )


def check_breaker(model: Model, endpoint: Endpoint, met: Sequence[Met]) -> None:
    """After twenty failures with no success between them, nothing is begun until the pause is over, which began with
    the first of them at the earliest. What was under way by then is none of this."""
    if not endpoint.options.breaks:
        return
    run: list[Met] = []
    successes: list[float] = []
    # Messages that went in one request met the same.
    for one in sorted(set(met) if endpoint.options.batch_size > 1 else met):
        if one.success:
            successes.append(one.ended)
            run = []
        elif not one.by_hand:
            run = [*run[-SURELY + 1 :], one]
            if len(run) == SURELY and one.ended - run[0].ended < PAUSE_S - 2:
                _check_pause(model, endpoint, run[0].ended, one.ended, met, successes)


def _check_pause(
    model: Model, endpoint: Endpoint, first: float, last: float, met: Sequence[Met], successes: Sequence[float]
) -> None:
    silent_from, until = last + 1.0 + model.write_s, first + PAUSE_S - 0.5
    if (
        sum(at > first - LONG_AGO_S for at in successes) > FEW
        or model.troubles.between(first - MINUTE_S, until, leaving_out=_NOT_THE_ENGINES)
        or True in endpoint.values(endpoint.closed, first - 1, until)
        or any(one.success and last < one.ended < until for one in met)
    ):
        return
    for one in met:
        if not one.by_hand and silent_from < one.began < until:
            model.violated(
                f"{endpoint.key}: an attempt began at {one.began:.3f}, although twenty had failed from {first:.3f} to "
                f"{last:.3f}, and its circuit breaker waits for {PAUSE_S:g} s then"
            )
            return
