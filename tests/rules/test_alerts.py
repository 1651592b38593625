"""What an alert may be."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.alerts import (
    ALERTS,
    USUAL,
    alert_events,
    alert_kind,
    alerts_application,
)


def test_events_are_kept_in_one_order_and_once() -> None:
    assert alert_events("events", None) == USUAL
    assert alert_events("events", ["endpoint.disabled", "endpoint.failing", "endpoint.disabled"]) == ALERTS[:2]


@pytest.mark.parametrize("value", [[], "endpoint.failing", 5, ["endpoint.created"], [None], {}])
def test_other_events_are_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="events"):
        alert_events("events", value)


@pytest.mark.parametrize("value", ["fax", "", None, 5, ["email"]])
def test_other_kinds_are_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="email, slack, discord, teams or webhook"):
        alert_kind("kind", value)


def test_the_alerts_of_each_application_are_in_one_of_their_own() -> None:
    assert alerts_application("app_1") != alerts_application("app_2")
