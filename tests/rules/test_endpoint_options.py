"""What an endpoint may ask for, within the bounds of the operator."""

from __future__ import annotations

from datetime import timedelta

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.model import EndpointOptions
from webhook_engine.rules.endpoint_options import OptionBounds, OptionValues, checked, schedule_within, timeout_within

SECOND = timedelta(seconds=1)
WITH_SECRETS = {"authentication", "tls"}
"""These have rules of their own."""
BOUNDS = OptionBounds(timeout=30 * SECOND, retries=3, retry_time=60 * SECOND)


def test_there_is_one_list_of_what_can_be_asked_for() -> None:
    names = set(EndpointOptions.__struct_fields__)
    assert set(OptionValues.__annotations__) == names
    plain = dict.fromkeys(names - WITH_SECRETS)
    assert checked(plain, BOUNDS) == plain


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("timeout", "1.5s", 1.5 * SECOND),
        ("timeout", 30 * SECOND, 30 * SECOND),
        ("retry_schedule", [], ()),
        ("timeout_by_event_type", {"invoice.*": "5s", "a": SECOND}, {"invoice.*": 5 * SECOND, "a": SECOND}),
        ("retry_schedule_by_event_type", {"a": ["5s"], "b": []}, {"a": (5 * SECOND,), "b": ()}),
        ("timeout_by_event_type", {}, None),
        ("method", "PATCH", "PATCH"),
        ("query", {"a": "b c"}, {"a": "b c"}),
        ("query", {}, None),
        ("compression", "gzip", "gzip"),
        ("user_agent", "Shop/2 (+https://shop.example)", "Shop/2 (+https://shop.example)"),
        ("content_type", "application/cloudevents+json", "application/cloudevents+json"),
        ("retry_schedule", ["0s", timedelta(seconds=5)], (timedelta(0), 5 * SECOND)),
    ],
)
def test_what_is_allowed_is_kept(name: str, given: object, kept: object) -> None:
    assert checked({name: given}, BOUNDS) == {name: kept}


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("timeout", "31s", 'timeout: must be a duration from "1ms" to "30s"'),
        ("timeout", "0s", "timeout: must be"),
        ("timeout", "10", "a duration needs a unit"),
        ("timeout", 10, "timeout: must be a duration"),
        ("timeout", timedelta(microseconds=1500), "timeout: is counted in whole milliseconds"),
        ("retry_schedule", "5s", "retry_schedule: must be a list"),
        ("retry_schedule", ["1s"] * 4, "retry_schedule: must have at most 3 delays, not 4"),
        ("retry_schedule", ["1s", "2m"], 'retry_schedule[1]: must be a duration from "0s" to "1m"'),
        ("retry_schedule", ["40s", "21s"], "retry_schedule: must take at most 1m in all, not 61s"),
        ("timeout_by_event_type", {"a": "31s"}, 'timeout_by_event_type.a: must be a duration from "1ms" to "30s"'),
        ("timeout_by_event_type", {"*": "1s"}, "timeout_by_event_type: must be 1 to 256 characters"),
        ("timeout_by_event_type", ["1s"], "timeout_by_event_type: must be a mapping"),
        ("retry_schedule_by_event_type", {str(n): [] for n in range(51)}, "must have at most 50 event types, not 51"),
        ("method", "GET", "method: must be one of POST, PUT, PATCH, not 'GET'"),
        ("method", ["PUT"], "method: must be one of"),
        ("query", "a=b", "query: must be a mapping"),
        ("query", {"a": 1}, "query.a: must be a string"),
        ("query", {"": "x"}, "query: must have 1 to 512 characters"),
        ("query", {str(n): "" for n in range(21)}, "query: must have at most 20 parameters, not 21"),
        ("compression", "br", "compression: must be one of gzip"),
        ("user_agent", "a\nb", "user_agent: must contain printable ASCII"),
        ("user_agent", "x" * 257, "user_agent: must be 1 to 256 characters"),
        ("content_type", " text/plain", "content_type: must be a media type"),
        ("retries", 3, "retries: is nothing that an endpoint can ask for"),
    ],
)
def test_what_is_not_allowed_is_refused(name: str, given: object, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        checked({name: given}, BOUNDS)
    assert problem in str(caught.value)


def test_what_was_accepted_under_wider_bounds_is_kept_within_those_of_today() -> None:
    assert timeout_within(None, BOUNDS) is None
    assert timeout_within(10 * SECOND, BOUNDS) == 10 * SECOND
    assert timeout_within(90 * SECOND, BOUNDS) == 30 * SECOND
    assert schedule_within(None, BOUNDS) is None
    assert schedule_within([], BOUNDS) == []
    assert schedule_within([SECOND] * 9, BOUNDS) == [SECOND] * 3
    assert schedule_within([30 * SECOND, 30 * SECOND, SECOND], BOUNDS) == [30 * SECOND, 30 * SECOND]
