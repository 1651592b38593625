"""How many connections to the server there may be, so that deliveries keep what they need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from webhook_engine.server.descriptors import RESERVED, inbound_share


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        (None, 4096),
        (1_000_000, 4096),
        (4096 + 512 + 1_621 + RESERVED, 4096),
        (3_000, 3_000 - 512 - 750 - RESERVED),
        (1_024, 256),
        (256, 64),
        (3, 1),
    ],
)
def test_the_share_of_the_server(limit: int | None, share: int) -> None:
    assert inbound_share(limit, 4096, 512) == share


RAISING = """
import logging, resource, sys
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
from webhook_engine.server.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
raise_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "then", "word"), [(200, 900, 900, "raised"), (300, 300, 300, "limit")])
def test_the_limit_is_raised_as_far_as_it_may_be_and_logged(soft: int, hard: int, then: int, word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISING, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(then), str(hard)]
    assert f"descriptors.{word}" in done.stderr
