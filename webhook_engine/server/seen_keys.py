"""A memory of which keys may have been seen: no key is forgotten in its time, and the memory never grows. Pure.

It is a Bloom filter of two generations. An unknown key is told apart with certainty, so that the common case, a key
that was never used before, costs no look into the database.
"""

from __future__ import annotations

import struct
from mmap import ACCESS_COPY, mmap

__all__ = ["SeenKeys"]

_BITS = 25
_MASK = (1 << _BITS) - 1
_positions = struct.Struct(">4I").unpack_from


class SeenKeys:
    """Remembers digests (of at least 16 random-looking bytes) for one to two generations."""

    def __init__(self, generation: int, now: int) -> None:
        self._length = generation
        self._current, self._previous = _none(), _none()
        self._since = now

    def add(self, digest: bytes, now: int) -> None:
        """Remember a digest from ``now`` on."""
        if now - self._since >= self._length:
            self._previous, self._current = self._current, _none()
            self._since = now
        for position in _positions(digest):
            self._current[(position & _MASK) >> 3] |= 1 << (position & 7)

    def may_know(self, digest: bytes) -> bool:
        """Whether it may have been added; ``False`` is certain."""
        return _in(self._current, digest) or _in(self._previous, digest)


def _none() -> mmap:
    """No bits, in memory that the system gives page by page as they are set: who sends no keys needs none of it."""
    return mmap(-1, 1 << (_BITS - 3), access=ACCESS_COPY)


def _in(bits: mmap, digest: bytes) -> bool:
    return all(bits[(position & _MASK) >> 3] & (1 << (position & 7)) for position in _positions(digest))
