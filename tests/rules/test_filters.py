"""By what lists are filtered."""

from __future__ import annotations

import pytest

from webhook_engine.errors import ValidationError
from webhook_engine.rules.filters import message_choice, status_code_class


def test_nothing_said_leaves_nothing_out() -> None:
    assert message_choice(None, None, None) == {"event_types": None, "channel": None, "tag": None}
    assert status_code_class(None) is None


def test_what_is_said_is_checked() -> None:
    assert message_choice(["a", "b"], "c", "t") == {"event_types": ("a", "b"), "channel": "c", "tag": "t"}
    for wrong in ((["a b"], None, None), (None, "c d", None), (None, None, "")):
        with pytest.raises(ValidationError):
            message_choice(*wrong)


@pytest.mark.parametrize("lowest", [0, 100, 200, 300, 400, 500])
def test_a_class_of_status_codes_is_its_lowest(lowest: int) -> None:
    assert status_code_class(lowest) == lowest


@pytest.mark.parametrize("wrong", [-100, 1, 99, 404, 600, "200", 200.0, True])
def test_nothing_else_is_a_class_of_status_codes(wrong: object) -> None:
    with pytest.raises(ValidationError, match="status_code_class"):
        status_code_class(wrong)
