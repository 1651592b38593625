"""Times as clients write them: RFC 3339, plus the variants that existing clients use. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["parse_instant"]

_RELAXED = re.compile(
    r"""\s*(\d{4})-(\d{1,2})-(\d{1,2}) (?:[Tt]|\s)\s* (\d{1,2}):(\d{1,2}):(\d{1,2}) (?:\.(\d{0,30}))?
    \s* (?: ([Zz]|UTC|utc) | ([-+\u2212 ]?) (\d{2}):?(\d{2}) )? \s*""",
    re.VERBOSE | re.ASCII,
).fullmatch


def parse_instant(text: str) -> datetime:
    """Parse an aware UTC time, to the microsecond; raises ``ValueError``.

    Allowed besides RFC 3339: spaces, single digits, any number of decimals, ``UTC`` for the offset. A time without an
    offset is UTC. A space before an offset counts as the plus sign, which a query string decodes to a space.
    """
    match = _RELAXED(text) if len(text) <= 100 else None
    if match is None:
        raise ValueError("this is not a time as in RFC 3339, such as 2030-01-31T12:00:00Z")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, _, sign, offset_hours, offset_minutes = match.groups()[6:]
    zone = UTC
    if offset_hours is not None:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        zone = timezone(-offset if sign in ("-", "\u2212") else offset)
    micros = int((fraction or "")[:6].ljust(6, "0"))
    if second == 60:  # A leap second counts as the last moment of its minute.
        second, micros = 59, 999_999
    try:
        return datetime(year, month, day, hour, minute, second, micros, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"this time does not exist: {error}") from None
