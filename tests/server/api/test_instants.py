"""Dates in queries and bodies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhook_engine.server.api.instants import parse_instant

NOW = datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01 10:00:00.123456789 UTC",
        "2026-01-01T10:00:00.123456Z",
        "2026-1-1t10:0:0.123456z",
        "2026-01-01T12:00:00.123456+02:00",
        "2026-01-01T12:00:00.123456 0200",
        "2026-01-01T05:00:00.123456-05:00",
        "2026-01-01T10:00:00.123456",
    ],
)
def test_dates_are_read_in_all_their_forms(text: str) -> None:
    assert parse_instant(text) == NOW


@pytest.mark.parametrize(
    "text", ["", "x", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:00", "9" * 1000]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        parse_instant(text)
