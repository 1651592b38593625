"""Pages and iterators: every element of a list is seen exactly once, whichever way one walks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.clock import from_datetime, microseconds, to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource, id_bounds
from webhook_engine.model import Message, Page
from webhook_engine.resources import pagination
from webhook_engine.resources.pagination import PageRequest, by_key, by_time, everything, page_of, walk
from webhook_engine.rules.pages import MAX_PAGE
from webhook_engine.store.records import Edge, Span, fitting

NOW = from_datetime(datetime(2030, 6, 1, tzinfo=UTC))
DAY = microseconds(timedelta(days=1))


def read(keys: Sequence[str], span: Span) -> list[str]:
    """What any store does with a span."""
    found = [key for key in sorted(keys) if (not span.low or key > span.low) and (not span.high or key < span.high)]
    return (found[::-1] if span.descending else found)[: span.limit]


def page(keys: Sequence[str], request: PageRequest) -> Page[str]:
    return request.cut(read(keys, request.span), str)


def named(iterator: str | None = None, *, order: str = "ascending", limit: int = 2) -> PageRequest:
    return by_key(limit=limit, iterator=iterator, order=order)


def timed(iterator: str | None = None, *, limit: int = 2, **bounds: datetime) -> PageRequest:
    return by_time(
        "msg_", limit=limit, iterator=iterator, before=bounds.get("before"), after=bounds.get("after"), now=NOW
    )


@pytest.mark.parametrize(
    ("iterator", "order", "data", "done"),
    [
        (None, "ascending", ["a", "b"], False),
        ("b", "ascending", ["c", "d"], False),
        ("d", "ascending", ["e"], True),
        ("c", "ascending", ["d", "e"], True),
        ("e", "ascending", [], True),
        ("-e", "ascending", ["c", "d"], False),
        ("-c", "ascending", ["a", "b"], True),
        ("-b", "ascending", ["a"], True),
        ("-a", "ascending", [], True),
        (None, "descending", ["e", "d"], False),
        ("d", "descending", ["c", "b"], False),
        ("b", "descending", ["a"], True),
        ("-b", "descending", ["d", "c"], False),
        ("-d", "descending", ["e"], True),
    ],
)
def test_a_page_by_key(iterator: str | None, order: str, data: list[str], done: bool) -> None:
    got = page("abcde", named(iterator, order=order))
    assert (list(got.data), got.done) == (data, done)
    assert got.iterator == (data[-1] if data else None)
    assert got.prev_iterator == (f"-{data[0]}" if data else None)


def test_a_limit_of_zero_only_tells_whether_there_is_anything() -> None:
    got = page("abc", named(limit=0))
    assert (list(got.data), got.iterator, got.prev_iterator, got.done) == ([], None, None, False)
    assert page("", named(limit=0)).done


@pytest.mark.parametrize("limit", [-1, MAX_PAGE + 1, "5", 1.0, True, None])
def test_a_limit_out_of_range_is_refused(limit: object) -> None:
    with pytest.raises(ValidationError, match="limit"):
        by_key(limit=limit, iterator=None, order="ascending")


@pytest.mark.parametrize("iterator", ["msg_x", "app", "", "-", "--", "app_\ud800", "app_ x", 5, "-ep_x"])
def test_an_iterator_of_another_list_is_refused(iterator: object) -> None:
    with pytest.raises(ValidationError) as caught:
        by_key(limit=5, iterator=iterator, order="ascending", prefix="app_")
    assert caught.value.field == "iterator"


@pytest.mark.parametrize("iterator", ["app_" + "0" * 27, "msg_0", "msg_" + "!" * 27, "msg_" + "0" * 28, "-msg_", 7])
def test_a_time_iterator_that_is_no_id_is_refused(iterator: object) -> None:
    with pytest.raises(ValidationError) as caught:
        timed(iterator)  # type: ignore[arg-type]
    assert caught.value.field == "iterator"


@pytest.mark.parametrize("bound", ["before", "after"])
def test_a_bound_that_is_no_datetime_is_refused(bound: str) -> None:
    with pytest.raises(ValidationError, match=f"{bound}: must be a datetime"):
        timed(**{bound: "2030-01-01"})  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["up", None, 1])
def test_an_unknown_order_is_refused(order: object) -> None:
    with pytest.raises(ValidationError, match="order"):
        by_key(limit=5, iterator=None, order=order)


NAMES = st.lists(st.text("-_.aZ09", min_size=1, max_size=4), unique=True, max_size=30)


@given(NAMES, st.integers(1, 7), st.sampled_from(["ascending", "descending"]))
def test_walking_by_name_there_and_back_sees_each_once(keys: list[str], limit: int, order: str) -> None:
    wanted = sorted(keys, reverse=order == "descending")
    check_walks(wanted, lambda iterator: page(keys, named(iterator, order=order, limit=limit)))


@given(st.lists(st.integers(0, 80 * DAY), max_size=30), st.integers(1, 7))
def test_walking_by_time_there_and_back_sees_each_once(ages: list[int], limit: int) -> None:
    ids = IdSource()
    keys = [ids.new("msg_", NOW - age) for age in sorted(ages, reverse=True)]
    check_walks(keys[::-1], lambda iterator: page(keys, timed(iterator, limit=limit)))


def check_walks(wanted: list[str], get) -> None:
    seen: list[str] = []
    got = get(None)
    while True:
        seen += got.data
        if got.done:
            break
        got = get(got.iterator)
    assert seen == wanted
    back = list(got.data)
    while got.prev_iterator is not None:
        got = get(got.prev_iterator)
        back = list(got.data) + back
        if got.done:
            break
    assert back == wanted


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 5))
async def test_a_list_that_passes_over_most_is_read_part_by_part(fit: list[bool], limit: int, looked_at: int) -> None:
    """Both ways each is seen once, and no page is looked for among more than so many."""
    ids = IdSource()
    keys = [ids.new("msg_", NOW - DAY) for _ in fit]
    wanted = [key for key, fits in zip(keys, fit, strict=True) if fits]

    async def edge(span: Span, count: int) -> Edge | None:
        found = read(keys, msgspec.structs.replace(span, limit=count + 1))
        return Edge(*found[count - 1 :]) if len(found) > count else None

    async def look(span: Span) -> list[str]:
        assert len(read(keys, msgspec.structs.replace(span, limit=len(keys)))) <= looked_at
        return [key for key in read(keys, msgspec.structs.replace(span, limit=len(keys))) if key in wanted][
            : span.limit
        ]

    async def walked(iterator: str | None, *, up: bool) -> list[str]:
        seen: list[str] = []
        while True:
            got = await page_of(timed(iterator, limit=limit), edge, look, str)
            seen += reversed(got.data) if up else got.data
            if got.done:
                return seen
            iterator = got.prev_iterator if up else got.iterator
            assert iterator is not None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pagination, "LOOKED_AT", looked_at)
        assert await walked(None, up=False) == wanted[::-1]
        assert await walked(f"-{id_bounds('msg_', NOW - 2 * DAY)[0]}", up=True) == wanted
        oldest = await page_of(timed(after=to_datetime(NOW - 2 * DAY), limit=limit), edge, look, str)
        assert oldest.done or oldest.iterator is not None


def aged(*days: float) -> list[str]:
    ids = IdSource()
    return [ids.new("msg_", NOW - int(age * DAY)) for age in sorted(days, reverse=True)][::-1]


def when(age: float) -> datetime:
    return to_datetime(NOW - int(age * DAY))


def test_a_list_by_time_is_newest_first_and_goes_90_days_back() -> None:
    keys = aged(1, 2, 89, 91)
    assert page(keys, timed(limit=10)).data == keys[:3]


def test_after_alone_gives_the_oldest_page_newest_first() -> None:
    keys = aged(1, 2, 3, 4, 5)
    got = page(keys, timed(after=when(4.5)))
    assert (list(got.data), got.done) == (keys[2:4], False)
    assert list(page(keys, timed(got.prev_iterator, after=when(4.5))).data) == keys[0:2]


def test_before_is_exclusive_and_after_inclusive() -> None:
    keys = aged(1, 2, 3)
    assert page(keys, timed(limit=10, before=when(1), after=when(3))).data == keys[1:]


def test_bounds_hold_while_walking() -> None:
    keys = aged(1, 2, 3, 4)
    assert page(keys, timed(keys[1], limit=10, after=when(3))).data == [keys[2]]
    assert page(keys, timed("-" + keys[3], limit=10, before=when(1.5))).data == keys[1:3]


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        ({"before": when(100)}, [150, 250]),
        ({"before": when(-1000)}, [50, 150, 250]),
        ({"after": when(100)}, [50]),
        ({"after": when(200)}, [50, 150]),
        ({"after": when(9000)}, [50, 150, 250]),
        ({"before": when(100), "after": when(300)}, [150, 250]),
        ({"before": when(200), "after": when(220)}, []),
        ({}, [50]),
    ],
)
def test_the_window_of_90_days_is_only_for_lists_without_a_bound(bounds: dict[str, datetime], seen: list[int]) -> None:
    keys = dict(zip([50, 150, 250], aged(50, 150, 250), strict=True))
    assert list(page(list(keys.values()), timed(limit=10, **bounds)).data) == [keys[age] for age in seen]


@pytest.mark.parametrize(
    "bounds", [{"before": when(0)}, {"after": when(1000)}, {"before": when(0), "after": when(1000)}]
)
def test_what_is_far_apart_is_walked_through_where_there_is_a_bound(bounds: dict[str, datetime]) -> None:
    keys = aged(1, 200, 500, 800)
    start = None if "before" in bounds else "msg_" + "z" * 27
    check_walks(keys, lambda iterator: page(keys, timed(iterator or start, limit=1, **bounds)))


def test_what_lies_far_in_the_future_is_not_shown() -> None:
    keys = aged(-0.5, -0.01, 1)
    assert page(keys, timed(limit=10)).data == keys[1:]


@pytest.mark.parametrize("bound", [datetime.min, datetime.max, datetime(1, 1, 1, tzinfo=UTC)])
def test_extreme_bounds_are_harmless(bound: datetime) -> None:
    timed(before=bound)
    timed(after=bound)
    timed("msg_" + "z" * 27, before=bound)
    timed("-msg_" + "z" * 27)


async def test_a_walk_reads_on_until_the_end() -> None:
    keys = [id_bounds("msg_", NOW - n * 4000)[0] for n in range(250)]

    async def batch(span: Span) -> list[str]:
        return read(keys, span)

    assert [key async for key in walk(batch, str, everything("msg_", None, None))] == keys
    assert [key async for key in walk(batch, str)] == keys[::-1]
    bounded = everything("msg_", to_datetime(NOW), to_datetime(NOW - 10 * 4000))
    assert [key async for key in walk(batch, str, bounded)] == keys[1:10]


def sized(*sizes: int) -> list[Message]:
    ids = IdSource()
    return [
        Message(
            id=ids.new("msg_", NOW),
            application_id="app_x",
            event_type="a",
            event_id=None,
            payload=b"x" * size,
            channels=None,
            tags=None,
            deliver_at=None,
            timestamp=when(0),
        )
        for size in sizes
    ]


@pytest.mark.parametrize(
    ("sizes", "room", "count"),
    [
        ([], 10, 0),
        ([5], 10, 1),
        ([100], 10, 1),
        ([100, 1], 10, 1),
        ([5, 5, 1], 10, 2),
        ([5, 4, 100, 1], 10, 3),
        ([0, 0, 0], 10, 3),
        ([100, 100], None, 2),
    ],
)
def test_a_page_ends_with_the_element_that_goes_beyond_its_room(sizes: list[int], room: int | None, count: int) -> None:
    assert fitting(sized(*sizes), room) == count


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 5), st.integers(1, 30))
def test_walking_by_size_there_and_back_sees_each_once(sizes: list[int], limit: int, room: int) -> None:
    messages = {message.id: message for message in sized(*sizes)}

    def got(iterator: str | None) -> Page[str]:
        request = timed(iterator, limit=limit)
        request = msgspec.structs.replace(request, span=msgspec.structs.replace(request.span, max_bytes=room))
        rows = [messages[key] for key in read(list(messages), request.span)]
        rows = rows[: fitting(rows, room) + 1]  # as a store reads
        page = request.cut(rows, attrgetter("id"))
        assert not rows or page.data
        return msgspec.structs.replace(page, data=[message.id for message in page.data])

    check_walks(list(messages)[::-1], got)
