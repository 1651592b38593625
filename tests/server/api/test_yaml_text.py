"""YAML is read as JSON: what is text stays text, and nothing in it costs more than its length."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import no_engine

from webhook_engine.server.api.yaml_text import MAX_DEPTH, YamlTextError, parse_yaml

pytestmark = no_engine


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1:1:1:1:1.0", {"a": "1:1:1:1:1.0"}),
        ("190:20:30", "190:20:30"),
        ("2030-01-31", "2030-01-31"),
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("[no, yes, on, off, y, n]", ["no", "yes", "on", "off", "y", "n"]),
        ("[true, True, TRUE, false, null, Null, ~]", [True, True, True, False, None, None, None]),
        ("[0o17, 017, 0x1F, 1_000, +1, -0]", [15, 17, 31, "1_000", 1, 0]),
        ("[.5, -.5, 1., 1e3, 1.5e-3, 1e, e1, .]", [0.5, -0.5, 1.0, 1000.0, 0.0015, "1e", "e1", "."]),
        ("on: x\n200: ok\nnull: y\n1.0: z", {"on": "x", "200": "ok", "null": "y", "1.0": "z"}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("a: &anchor 1", {"a": 1}),
        ("[!!str 1, !!int 1, !!float 1, ! 1, !!null '', !!bool 'true']", ["1", 1, 1, "1", None, True]),
        ("!!map {a: !!seq [b]}", {"a": ["b"]}),
        ("a: '1'\nb: |\n  1\nc:", {"a": "1", "b": "1\n", "c": None}),
        ("# nothing", None),
        ("a: \u0661", {"a": "\u0661"}),
        ("9" * 300, int("9" * 300)),
    ],
)
def test_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x", "? {a: 1}\n: 2", "? [a]\n: 2", "a\n---\nb", "!!binary aGk=", "!!timestamp 2030-01-31",
        "!!set {a}", "!!omap [a: 1]", "!!python/object/apply:os.system [x]", "!local x", "!!int x", "!!bool 1",
        "!!map [a]", "!!seq {a: 1}", ".inf", "-.Inf", ".nan", "1e999", "9" * 301, "0x" + "f" * 400, '"\\ud800"',
        "\ud800", "\x00", "a: [b", "a: b: c", "\t- a", "!!<x",
    ],
)  # fmt: skip
def test_what_json_has_not_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(YamlTextError) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "{" * 10_000, "[a," * 10_000, "{a: " * 10_000, "- " * 10_000, "a: {b: " * 5_000]
)
def test_depth_is_refused_before_it_costs_anything(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(YamlTextError):
        parse_yaml(text)
    assert time.process_time() - begin < 1  # the recursive reader took 15 s


def test_as_deep_as_is_allowed() -> None:
    parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(YamlTextError, match="100 levels"):
        parse_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_the_work_can_be_stopped() -> None:
    looks = 0

    def go_on() -> None:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        parse_yaml("- a\n" * 100_000, go_on=go_on)
    assert looks == 4


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), inner),
    max_leaves=15,
)  # fmt: skip


@given(_JSON)
def test_json_is_yaml_and_means_the_same(value: Any) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False)) == value


@given(st.text(max_size=60) | st.text("[]{}:,-?&*!|>'\"% \n#a1.", max_size=60))
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    with suppress(YamlTextError):
        json.dumps(parse_yaml(text), ensure_ascii=False, allow_nan=False).encode()
