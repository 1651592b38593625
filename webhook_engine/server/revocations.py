"""Revoked tokens: all revocations are in memory, so that checking a request needs no database query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webhook_engine.store.revocations import Revocation, RevocationStore

__all__ = ["AT_ONCE", "EVERY_TOKEN", "Revocations", "application_subject", "session_subject", "token_subject"]

EVERY_TOKEN = "~"  # noqa: S105
"""Sorts after every token id."""


AT_ONCE = 0
"""The time of a revocation that takes effect at once, even if the clock is set back later."""


class Revocations:
    """The revocations of the store, by what the tokens have in common."""

    def __init__(self, store: RevocationStore) -> None:
        self._store = store
        self._by_subject: dict[str, list[Revocation]] = {}

    async def load(self) -> None:
        """Load all revocations, at start and after another engine has revoked tokens."""
        found = await self._store.all()
        self._by_subject.clear()
        self._remember(found)

    async def add(self, revocations: Sequence[Revocation]) -> None:
        """Revoke tokens; durable on return."""
        await self._store.add(revocations)
        self._remember(revocations)

    def forget_expired(self, now: int) -> None:
        """Remove revocations whose tokens have all expired, as retention does in the store."""
        kept = [one for known in self._by_subject.values() for one in known if one.drop_at > now]
        self._by_subject.clear()
        self._remember(kept)

    def concern(self, subjects: Sequence[str], token_id: str, now: int) -> bool:
        """Whether a token with this id, which belongs to these subjects, is revoked."""
        if not self._by_subject:
            return False
        for subject in subjects:
            for one in self._by_subject.get(subject, ()):
                if token_id <= one.up_to and one.effective_at <= now:
                    return True
        return False

    def _remember(self, revocations: Iterable[Revocation]) -> None:
        for new in revocations:
            known = self._by_subject.setdefault(new.subject, [])
            known[:] = [old for old in known if not (old.up_to <= new.up_to and old.effective_at >= new.effective_at)]
            known.append(new)


def token_subject(digest: bytes) -> str:
    """The subject of one token, by the digest of its signed part."""
    return f"token:{digest.hex()}"


def application_subject(application_id: str) -> str:
    """The subject of all tokens of an application."""
    return f"app:{application_id}"


def session_subject(application_id: str, session_id: str) -> str:
    """The subject of all tokens of one session of an application."""
    return f"session:{application_id}:{session_id}"
