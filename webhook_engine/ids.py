"""Prefixed identifiers that sort by time: ``msg_2abc…`` is a prefix and a KSUID with milliseconds.

A KSUID here is 20 bytes: seconds since 2014-05-13T16:53:20Z (4 bytes, big endian), the millisecond in steps of
four (1 byte), and 15 random bytes; written as 27 base62 digits in ASCII order, so that text order is time order.
Ids made by one process strictly increase, even within a step and when the clock goes back.
"""

from __future__ import annotations

import math
import os
import struct

__all__ = ["ID_STEP", "KSUID_LENGTH", "IdSource", "derived_id", "id_bounds", "is_id", "text_of", "timestamp_of"]

KSUID_LENGTH = 27
ID_STEP = 4_000
"""The resolution of ids, in microseconds: ids of the same step do not tell which is older."""
_EPOCH_S = 1_400_000_000
_RANDOM_BITS = 120
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_BASE_2 = 62**2
_BASE_4 = 62**4
_LOW = 62**8
_MAX_STEP = (1 << 40) - 1


class IdSource:
    """Makes ids; one instance serves a whole process, so that its ids strictly increase."""

    def __init__(self) -> None:
        self._step = -1
        self._until = -math.inf
        """The instant at which the next step begins."""
        self._high = 0
        self._low = 0
        """The last id as a number, in two parts: its first 19 digits, and its last eight."""
        self._head = ""
        self._gaps: list[int] = []

    def new(self, prefix: str, instant: int) -> str:
        """A fresh id for ``instant`` (microseconds since the epoch), for example ``new("msg_", now)``."""
        if instant >= self._until:
            self._begin_step(instant)
        else:
            # A random gap, so that ids cannot be guessed from one another; small, so that most digits stay.
            self._low += self._gaps.pop() if self._gaps else self._gap()
        if self._low >= _LOW:
            self._continue_at(self.last_value)
        # Unrolled for speed, because each delivery has two ids.
        left, right = divmod(self._low, _BASE_4)
        first, second = divmod(left, _BASE_2)
        third, fourth = divmod(right, _BASE_2)
        return f"{prefix}{self._head}{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{_PAIRS[fourth]}"

    @property
    def last(self) -> str:
        """The last id that was made, without its prefix."""
        return _base62(self.last_value)

    @property
    def last_value(self) -> int:
        """The last id as a number, which is cheaper than :attr:`last`."""
        return self._high * _LOW + self._low

    def continue_after(self, identifier: str) -> None:
        """Make only ids that sort after this one (with a prefix or without); invalid ids are ignored."""
        text = identifier[identifier.rfind("_") + 1 :]
        if is_id("", text):
            self._continue_at(max(self.last_value, _value_of(text)))

    def _begin_step(self, instant: int) -> None:
        step, last = _step_of(instant), self.last_value
        if step > self._step:
            self._step = step
            value = (step << _RANDOM_BITS) | int.from_bytes(os.urandom(15), "big")
            # If ids are ahead of the clock, a new step may still be behind the last id.
            last = value if value > last else last + self._gap()
        else:
            last += self._gap()
        self._until = instant - instant % ID_STEP + ID_STEP
        self._continue_at(last)

    def _continue_at(self, value: int) -> None:
        self._high, self._low = divmod(value, _LOW)
        self._head = _base62(value)[:-8]

    def _gap(self) -> int:
        if not self._gaps:
            # One system call for many gaps.
            self._gaps = [(gap >> 24) + 1 for gap in struct.unpack("256Q", os.urandom(2048))]
        return self._gaps.pop()


def derived_id(prefix: str, instant: int, name: str) -> str:
    """A deterministic id for something made at ``instant`` that has the id ``name`` elsewhere."""
    import hashlib  # noqa: PLC0415 (not needed by programs that only enqueue)

    value = (_step_of(instant) << _RANDOM_BITS) | int.from_bytes(hashlib.sha256(name.encode()).digest()[:15], "big")
    return prefix + _base62(value)


def text_of(value: int) -> str:
    """The id, without its prefix, for a value of :attr:`IdSource.last_value`."""
    return _base62(value)


def id_bounds(prefix: str, instant: int) -> tuple[str, str]:
    """The lowest and the highest id that an object of ``instant`` (microseconds) can have."""
    step = _step_of(instant) << _RANDOM_BITS
    return prefix + _base62(step), prefix + _base62(step | ((1 << _RANDOM_BITS) - 1))


def timestamp_of(identifier: str) -> int:
    """The instant (microseconds, to four milliseconds) at which an id was made.

    Raises ``ValueError`` if the part after the prefix is not a KSUID.
    """
    text = identifier[identifier.rfind("_") + 1 :]
    if len(text) != KSUID_LENGTH:
        raise ValueError(f"{identifier!r} is not an id: {KSUID_LENGTH} base62 digits must follow the prefix")
    for character in text:
        if character not in _DIGITS:
            raise ValueError(f"{identifier!r} is not an id: {character!r} is not a base62 digit")
    step = _value_of(text) >> _RANDOM_BITS
    return ((step >> 8) + _EPOCH_S) * 1_000_000 + (step & 0xFF) * ID_STEP


def is_id(prefix: str, text: str) -> bool:
    """Whether ``text`` has the prefix and the form of an id."""
    if not text.startswith(prefix) or len(text) != len(prefix) + KSUID_LENGTH:
        return False
    return all(character in _DIGITS for character in text[len(prefix) :])


def _step_of(instant: int) -> int:
    seconds, micros = divmod(instant, 1_000_000)
    step = ((seconds - _EPOCH_S) << 8) | (micros // ID_STEP)
    return min(max(step, 0), _MAX_STEP)


def _value_of(text: str) -> int:
    value = 0
    for character in text:
        value = value * 62 + _DIGITS[character]
    return value


def _base62(value: int) -> str:
    digits = ""
    for _ in range(KSUID_LENGTH // 2):
        value, pair = divmod(value, _BASE_2)
        digits = _PAIRS[pair] + digits
    return _ALPHABET[value] + digits
