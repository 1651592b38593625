"""Revocations of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["Revocation", "RevocationStore"]


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """A revocation of tokens."""

    subject: str
    """``token:…``, ``app:…`` or ``session:…``: what the tokens have in common."""
    up_to: str
    """Tokens of the subject with this id or a lower one are concerned; ids sort by time."""
    effective_at: int
    drop_at: int
    """When all these tokens have expired by themselves."""


class RevocationStore(Protocol):
    """Revocations of tokens."""

    async def add(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations; one that takes effect no later and reaches further replaces those of its subject."""
        ...

    async def all(self) -> Sequence[Revocation]:
        """All of them."""
        ...
