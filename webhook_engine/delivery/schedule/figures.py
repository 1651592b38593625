"""Figures of the lanes at one moment, for metrics and pages."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from webhook_engine.delivery.schedule.lane import Lane, Standing

__all__ = ["LaneFigures", "lane_figures"]


class LaneFigures(msgspec.Struct, frozen=True):
    """Figures of all lanes at one moment."""

    by_standing: dict[Standing, int]
    queued: int
    in_flight: int
    throttled: int
    """Lanes with something to send that must wait for a rate limit, or because the receiver is slow."""
    paused: int = 0
    """Lanes that their circuit breaker pauses."""


def lane_figures(lanes: Iterable[Lane], monotonic: float) -> LaneFigures:
    """Compute the figures of these lanes."""
    standing = dict.fromkeys(Standing, 0)
    queued = in_flight = throttled = paused = 0
    for lane in lanes:
        standing[lane.standing] += 1
        queued += lane.queued
        in_flight += lane.in_flight
        paused += lane.paused_until is not None
        throttled += bool(lane.queued) and _held_back(lane, monotonic)
    return LaneFigures(standing, queued, in_flight, throttled, paused)


def _held_back(lane: Lane, monotonic: float) -> bool:
    target = lane.target
    if target is not None and (target.throttle.wait(monotonic) > 0 or target.application_throttle.wait(monotonic) > 0):
        return True
    return lane.in_flight >= lane.limit and lane.limit < lane.max_limit
