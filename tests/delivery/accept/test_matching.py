import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import make_endpoint, make_stored

from webhook_engine.delivery.accept.matching import matches, recipients

NAMES = st.sampled_from(["a", "b", "c", "d"])
FILTERS = st.none() | st.lists(NAMES, min_size=1, unique=True).map(tuple)


@pytest.mark.parametrize(
    ("wanted", "event_type", "expected"),
    [
        (None, "invoice.paid", True),
        (("invoice.paid",), "invoice.paid", True),
        (("user.created", "invoice.paid"), "invoice.paid", True),
        (("user.created",), "invoice.paid", False),
        (("invoice",), "invoice.paid", False),
        (("invoice.paid",), "invoice", False),
    ],
)
def test_an_endpoint_gets_the_event_types_it_wants(
    wanted: tuple[str, ...] | None, event_type: str, expected: bool
) -> None:
    assert matches(make_endpoint(event_types=wanted), event_type, None) is expected


@pytest.mark.parametrize(
    ("wanted", "channels", "expected"),
    [
        (None, None, True),
        (None, ("project_1",), True),
        (("project_1",), ("project_1",), True),
        (("project_1", "project_2"), ("project_3", "project_2"), True),
        (("project_1",), ("project_2",), False),
        (("project_1",), (), False),
        (("project_1",), None, False),
    ],
)
def test_an_endpoint_with_channels_takes_only_messages_that_share_one(
    wanted: tuple[str, ...] | None, channels: tuple[str, ...] | None, expected: bool
) -> None:
    assert matches(make_endpoint(channels=wanted), "invoice.paid", channels) is expected


def test_both_filters_must_let_a_message_through() -> None:
    endpoint = make_endpoint(event_types=("invoice.paid",), channels=("project_1",))
    assert matches(endpoint, "invoice.paid", ["project_1"])
    assert not matches(endpoint, "invoice.paid", ["project_2"])
    assert not matches(endpoint, "user.created", ["project_1"])


def test_a_disabled_endpoint_gets_no_new_message() -> None:
    endpoints = [make_stored(make_endpoint("ep_1", disabled=True)), make_stored(make_endpoint("ep_2"))]
    assert recipients(endpoints, "invoice.paid", None) == ["ep_2"]


@given(
    filters=st.lists(st.tuples(FILTERS, FILTERS, st.booleans()), max_size=6),
    event_type=NAMES,
    channels=st.none() | st.lists(NAMES, unique=True),
)
def test_a_message_goes_to_exactly_the_enabled_endpoints_whose_filters_match(
    filters: list[tuple[tuple[str, ...] | None, tuple[str, ...] | None, bool]],
    event_type: str,
    channels: list[str] | None,
) -> None:
    endpoints = [
        make_stored(make_endpoint(str(number), event_types=types, channels=wanted, disabled=disabled))
        for number, (types, wanted, disabled) in enumerate(filters)
    ]
    expected = [
        str(number)
        for number, (types, wanted, disabled) in enumerate(filters)
        if not disabled
        and (types is None or event_type in types)
        and (wanted is None or any(channel in wanted for channel in channels or []))
    ]
    assert recipients(endpoints, event_type, channels) == expected
