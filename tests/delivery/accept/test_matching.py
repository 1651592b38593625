import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import make_endpoint, make_stored
from stores import no_engine

from webhook_engine.delivery.accept.filter_process import FilterProcess
from webhook_engine.delivery.accept.matching import Obstacle, Unsent, matches, obstacle, plan_of, recipients
from webhook_engine.rules.payload import LARGE
from webhook_engine.store.records import Routes

pytestmark = no_engine

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
        (("invoice.*",), "invoice.paid", True),
        (("invoice.*",), "invoice.paid.late", True),
        (("invoice.paid.*", "a.*"), "invoice.paid.late", True),
        (("invoice.*",), "invoice", False),
        (("invoice.*",), "invoices.paid", False),
        (("paid.*",), "invoice.paid.late", False),
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
    assert recipients(plan_of(Routes(endpoints)), "invoice.paid", None, b"{}") == ["ep_2"]


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
    assert recipients(plan_of(Routes(endpoints)), event_type, channels, b"{}") == expected


def test_a_filter_is_made_ready_once_and_asked_of_what_else_matches() -> None:
    routes = Routes(
        [
            make_stored(make_endpoint("ep_1", filter={"n": 1})),
            make_stored(make_endpoint("ep_2", filter={"n": {"$gt": 1}}, event_types=("invoice.*",))),
            make_stored(make_endpoint("ep_3")),
        ]
    )
    assert recipients(plan_of(routes), "invoice.paid", None, b'{"n": 2}') == ["ep_2", "ep_3"]
    made = plan_of(routes)
    assert recipients(plan_of(routes), "user.created", None, b'{"n": 1}') == ["ep_1", "ep_3"]
    assert recipients(plan_of(routes), "user.created", None, b"no JSON") == ["ep_3"]
    assert plan_of(routes) is made


async def test_why_an_endpoint_does_not_get_a_message() -> None:
    said = {"currency": "EUR", "amount": {"$gt": 5}, "$or": [{"x": 1}]}
    why = [
        (make_endpoint(), None),
        (make_endpoint(disabled=True), Unsent(Obstacle.DISABLED)),
        (make_endpoint(event_types=("user.*",)), Unsent(Obstacle.EVENT_TYPE)),
        (make_endpoint(channels=("a",), filter=said), Unsent(Obstacle.CHANNELS)),
        (make_endpoint(filter=said), Unsent(Obstacle.FILTER, {"amount": {"$gt": 5}})),
        (make_endpoint(filter={"currency": "EUR"}), None),
    ]
    payload = b'{"amount": 5, "currency": "EUR"}'
    for large in (payload, payload + b" " * LARGE):
        asked = await FilterProcess().obstacles([one for one, _ in why], "invoice.paid", None, large)
        assert asked == [expected for _, expected in why]
    assert obstacle(make_endpoint(filter=said), "invoice.paid", None) is None
