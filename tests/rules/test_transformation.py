"""What may be said of a consumer's script."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.transformation import code, variables


@pytest.mark.parametrize("value", [None, "x" * 10, "x" * 51_200])
def test_a_script_of_a_fitting_length_stays_as_it_is(value: str | None) -> None:
    assert code("code", value) == value


@pytest.mark.parametrize("value", ["", "x" * 9, "x" * 51_201, 7, "\ud800" * 10])
def test_another_one_is_refused(value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        code("code", value)
    assert raised.value.field == "code"


def test_variables_are_texts_by_name() -> None:
    assert variables("variables", None) == {}
    assert variables("variables", {"a": "", "b": "x" * 4096}) == {"a": "", "b": "x" * 4096}


@pytest.mark.parametrize("value", [[], {"": "x"}, {"a": 7}, {"a": "x" * 4097}, {str(n): "" for n in range(51)}])
def test_other_variables_are_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        variables("variables", value)
