"""The rules for rates, versions and durations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules import limits

Rule = Callable[[str, object], object]


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (limits.throttle_rate, None, None),
        (limits.throttle_rate, 1, 1),
        (limits.throttle_rate, 65_535, 65_535),
    ],
)
def test_what_is_allowed_is_kept_in_one_form(rule: Rule, value: object, kept: object) -> None:
    got = rule("field", value)
    assert got == kept
    assert type(got) is type(kept)


@pytest.mark.parametrize(
    ("rule", "value", "field"),
    [
        *((limits.throttle_rate, value, "field") for value in [0, -1, 65_536, 1.0, True, "5", 10**40]),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(rule: Rule, value: object, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        rule("field", value)
    assert caught.value.field == field
    assert caught.value.problem
    assert len(str(caught.value)) < 300


def test_a_number_too_long_to_be_written_is_refused_like_any_other() -> None:
    with pytest.raises(ValidationError):
        limits.throttle_rate("field", 10**5000)


def test_a_payload_is_kept_for_days_or_for_hours() -> None:
    assert limits.payload_retention(None, None) is None
    assert limits.payload_retention(1, None) == limits.payload_retention(None, 24) == 86_400_000_000
    for days, hours in ((0, None), (91, None), (True, None), (None, 2161), (1, 1)):
        with pytest.raises(ValidationError, match="payload_retention"):
            limits.payload_retention(days, hours)


def test_versions_and_grace_are_bounded() -> None:
    assert (limits.version("version", 1), limits.grace_period("grace_period", timedelta(0))) == (1, 0)
    for rule, value in (
        (limits.version, 0),
        (limits.version, 65_536),
        (limits.grace_period, timedelta(days=7, microseconds=1)),
        (limits.grace_period, timedelta(-1)),
    ):
        with pytest.raises(ValidationError, match="field"):
            rule("field", value)
