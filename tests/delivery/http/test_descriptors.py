"""How many idle connections are kept."""

from __future__ import annotations

import pytest

from webhook_engine.delivery.http.descriptors import most_idle, soft_limit


@pytest.mark.parametrize(
    ("limit", "idle"), [(None, 4_096), (1_000_000, 4_096), (20_000, 4_096), (4_000, 1_000), (1_024, 256), (2, 1)]
)
def test_idle_connections_get_a_part_of_the_descriptors(limit: int | None, idle: int) -> None:
    assert most_idle(limit) == idle


def test_the_limit_of_this_process_can_be_told() -> None:
    limit = soft_limit()
    assert limit is None or limit > 0
