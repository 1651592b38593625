"""Rotation of an endpoint's signing secrets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook_engine.clock import to_datetime
from webhook_engine.errors import RotationLimitError
from webhook_engine.model import OldKey

__all__ = ["MAX_OLD_KEYS", "still_valid"]

MAX_OLD_KEYS = 10
"""Rotated secrets of one endpoint that are valid at once."""


def still_valid(
    replaced: bytes,
    old_keys: Sequence[OldKey],
    *,
    now: int,
    grace: int,
    is_new: Callable[[bytes], bool] = lambda encrypted: False,
) -> tuple[OldKey, ...]:
    """The rotated secrets after one more rotation, newest first: ``replaced``, and those that have not expired.

    ``now`` and ``grace`` are in microseconds; without grace the replaced secret is dropped at once. ``is_new`` tells
    whether an encrypted secret is the new one: if an old secret becomes current again, it leaves the old ones.
    Raises ``RotationLimitError`` if there would be more than ten.
    """
    candidates = [OldKey(encrypted=replaced, expires_at=now + grace), *old_keys]
    kept = [key for key in candidates if key.expires_at > now and not is_new(key.encrypted)]
    if len(kept) > MAX_OLD_KEYS:
        next_expiry = min(key.expires_at for key in kept[1:])
        raise RotationLimitError(
            f"a secret can be rotated {MAX_OLD_KEYS} times within the grace period; the oldest one expires at "
            f"{to_datetime(next_expiry).isoformat()}; wait until then, or rotate without a grace period"
        )
    return tuple(kept)
