"""What every framework does with a webhook: the tests of these programs sign as they should."""

from __future__ import annotations

import json

import pytest
from integrations.programs import BODY, SECRET, signed

from webhook_engine import (
    Webhook,
)


@pytest.mark.parametrize("body", [BODY, b'["text"]'])
def test_the_helper_of_these_tests_signs_as_it_should(body: bytes) -> None:
    assert Webhook(SECRET).verify(body, signed(body)) == json.loads(body)
