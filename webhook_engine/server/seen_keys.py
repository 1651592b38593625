"""A fixed-size memory of the keys that may have been used; it forgets no key before its time. Pure.

It is a Bloom filter of two generations. An unknown key is recognised with certainty, so that the common case, a key
that was never used before, needs no database query.
"""

from __future__ import annotations

import struct
from mmap import ACCESS_COPY, mmap

__all__ = ["SeenKeys"]

_BITS = 25
_MASK = (1 << _BITS) - 1
_positions = struct.Struct(">4I").unpack_from


class SeenKeys:
    """Remembers digests (at least 16 bytes, uniformly distributed) for one to two generations."""

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
        """Whether the digest may have been added; ``False`` is certain."""
        return _in(self._current, digest) or _in(self._previous, digest)


def _none() -> mmap:
    """An empty bit array; the system allocates its pages as bits are set, so without keys it takes no memory."""
    return mmap(-1, 1 << (_BITS - 3), access=ACCESS_COPY)


def _in(bits: mmap, digest: bytes) -> bool:
    return all(bits[(position & _MASK) >> 3] & (1 << (position & 7)) for position in _positions(digest))
