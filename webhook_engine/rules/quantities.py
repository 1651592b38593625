"""Amounts with a unit, as people write them: ``1.5s``, ``20kB``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

__all__ = ["MILLISECOND", "format_duration", "parse_duration", "quantity"]

MILLISECOND = timedelta(milliseconds=1)

_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def parse_duration(text: str) -> timedelta:
    """Parse ``"1.5s"`` to a ``timedelta``; raises ``ValueError`` unless it is a duration of whole milliseconds."""
    amount, unit = quantity(text, _MILLISECONDS, "a duration")
    milliseconds = amount * _MILLISECONDS[unit]
    if milliseconds % 1:
        raise ValueError("a duration is counted in whole milliseconds")
    try:
        return timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        raise ValueError("this is too long") from None


def format_duration(value: timedelta) -> str:
    """The shortest form that :func:`parse_duration` reads: ``15s``, ``5d``."""
    milliseconds = value // MILLISECOND
    if not milliseconds:
        return "0s"
    unit = next(unit for unit, factor in _MILLISECONDS.items() if milliseconds % factor == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}"


def quantity(text: str, units: Iterable[str], what: str) -> tuple[Decimal, str]:
    """Parse an amount and its unit; raises ``ValueError``, which names the expected kind of value as ``what``."""
    match = _QUANTITY.fullmatch(text)
    if match and not match[2]:
        raise ValueError(f"{what} needs a unit")
    if not match or match[2] not in units:
        raise ValueError(f"this is not {what}")
    return Decimal(match[1]), match[2]
