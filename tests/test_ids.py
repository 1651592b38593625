import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.ids import KSUID_LENGTH, IdSource, id_bounds, is_id, timestamp_of

EPOCH = 1_400_000_000 * 1_000_000
LAST = (1_400_000_000 + 2**32) * 1_000_000 - 1
INSTANTS = st.integers(EPOCH, LAST - 1_000_000)
FORM = re.compile(r"msg_[0-9A-Za-z]{27}\Z")
STEP = 4_000


@given(INSTANTS)
def test_an_id_is_the_prefix_and_a_ksuid(instant: int) -> None:
    made = IdSource().new("msg_", instant)
    assert FORM.match(made)
    assert is_id("msg_", made)


@given(INSTANTS)
def test_an_id_tells_its_instant_to_four_milliseconds(instant: int) -> None:
    assert timestamp_of(IdSource().new("msg_", instant)) == instant - instant % STEP


@given(INSTANTS)
def test_the_first_four_bytes_are_the_seconds_of_a_plain_ksuid(instant: int) -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value = 0
    for character in IdSource().new("", instant):
        value = value * 62 + alphabet.index(character)
    assert value < 2**160
    assert int.from_bytes(value.to_bytes(20, "big")[:4], "big") == instant // 1_000_000 - 1_400_000_000


@given(st.lists(INSTANTS, min_size=2, max_size=200))
def test_ids_of_one_source_strictly_increase_even_when_the_clock_goes_back(instants: list[int]) -> None:
    source = IdSource()
    made = [source.new("msg_", instant) for instant in instants]
    assert all(before < after for before, after in itertools.pairwise(made))
    assert all(is_id("msg_", one) for one in made)


def test_many_ids_of_one_instant_are_all_different_and_in_order() -> None:
    source = IdSource()
    made = [source.new("msg_", EPOCH + 1) for _ in range(20_000)]
    assert made == sorted(set(made))
    low, high = id_bounds("msg_", EPOCH + 1)
    assert all(low <= one <= high for one in made)


@given(INSTANTS, INSTANTS)
def test_text_order_is_time_order(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    first, second = IdSource().new("msg_", earlier), IdSource().new("msg_", later)
    if later // STEP > earlier // STEP:
        assert first < second


@given(INSTANTS)
def test_the_bounds_of_an_instant_contain_its_ids_and_no_others(instant: int) -> None:
    low, high = id_bounds("msg_", instant)
    assert low <= IdSource().new("msg_", instant) <= high
    assert IdSource().new("msg_", instant + STEP) > high
    if instant >= EPOCH + STEP:
        assert IdSource().new("msg_", instant - STEP) < low
    assert timestamp_of(low) == timestamp_of(high) == instant - instant % STEP


@pytest.mark.parametrize("instant", [-(10**18), 0, EPOCH - 1])
def test_an_instant_before_the_epoch_of_ids_counts_as_the_epoch(instant: int) -> None:
    assert timestamp_of(IdSource().new("msg_", instant)) == EPOCH
    assert id_bounds("msg_", instant) == id_bounds("msg_", EPOCH)


def test_an_instant_beyond_the_last_one_counts_as_the_last() -> None:
    # The last byte of the instant counts steps to 255, of which a second uses 250.
    assert timestamp_of(id_bounds("msg_", 10**18)[1]) == LAST + 1 - 1_000_000 + 255 * STEP
    assert is_id("msg_", IdSource().new("msg_", 10**18))


def test_the_lowest_and_highest_ksuid_have_their_well_known_texts() -> None:
    assert id_bounds("", EPOCH)[0] == "0" * KSUID_LENGTH
    assert id_bounds("", 10**18)[1] == "aWgEPTl1tmebfsQzFP4bxwgy80V"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "msg_",
        "msg",
        "msg_" + "0" * 26,
        "msg_" + "0" * 28,
        "msg_" + "0" * 26 + "-",
        "msg_" + "0" * 26 + "é",
        "msg_" + "0" * 26 + "\n",
        "ep_" + "0" * 27,
    ],
)
def test_other_texts_are_not_ids(text: str) -> None:
    assert not is_id("msg_", text)


@pytest.mark.parametrize("text", ["msg_", "msg_short", "msg_" + "0" * 26 + "!", "acme"])
def test_a_text_without_an_instant_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        timestamp_of(text)


@given(st.text(max_size=40))
def test_whatever_is_an_id_has_an_instant(text: str) -> None:
    if is_id("msg_", "msg_" + text):
        assert isinstance(timestamp_of("msg_" + text), int)


def test_a_source_of_ids_goes_on_after_the_last_one_that_is_known() -> None:
    before, source = IdSource(), IdSource()
    last = [before.new("msg_", EPOCH + 1_000_000 * STEP) for _ in range(3)][-1]
    assert before.last == last.removeprefix("msg_")
    source.continue_after(last)
    source.continue_after("")
    source.continue_after("msg_nonsense")
    following = source.new("atmpt_", EPOCH + 100 * STEP - 60_000_000)
    assert following.removeprefix("atmpt_") > before.last
    assert source.new("msg_", EPOCH + 2_000_000 * STEP).removeprefix("msg_") > following.removeprefix("atmpt_")


def test_ids_that_are_ahead_of_the_clock_do_not_give_away_their_neighbours() -> None:
    source = IdSource()
    source.continue_after(IdSource().new("msg_", EPOCH + 1_000_000 * STEP))
    values = []
    for step in range(50):
        source.new("msg_", EPOCH + step * STEP)
        values.append(source.last_value)
    gaps = {later - earlier for earlier, later in itertools.pairwise(values)}
    assert len(gaps) == 49
    assert min(gaps) > 0
    assert max(gaps) > 1_000
