"""Authentication: from the Authorization header to a :class:`Principal`, with its capabilities."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from webhook_engine.clock import Clock, microseconds
from webhook_engine.core import EngineCore
from webhook_engine.ids import id_bounds, is_id
from webhook_engine.resources.organization import Organization
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.names import MAX_FEATURE_FLAGS, is_name
from webhook_engine.server.errors import ApiError
from webhook_engine.server.revocations import Revocations, application_subject, session_subject, token_subject
from webhook_engine.server.tokens import TOKEN_ID_PREFIX, TokenKeys, signed_part

__all__ = ["LEEWAY", "Authenticator", "Principal"]

LEEWAY: Final = microseconds(timedelta(minutes=15))
"""How far the clock of a token's issuer may differ from that of this machine."""
MAX_TOKEN = 8192
"""Characters."""
CACHED_TOKENS = 10_000

_NEVER = 1 << 62


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a valid token represents."""

    organization: Organization
    application_id: str | None
    """``None`` for a token with access to the whole organization."""
    feature_flags: tuple[str, ...]
    capabilities: frozenset[str] | None
    """``None`` means all."""
    token_id: str
    subjects: tuple[str, ...]
    """The subjects by which the token may be revoked; the first is the token itself."""
    expires_at: int
    session_id: str | None = None
    """The id of the portal session, if the platform has set one."""

    def may(self, capability: Capability) -> bool:
        """Whether the token allows this."""
        return self.capabilities is None or capability in self.capabilities

    @property
    def visible_flags(self) -> tuple[str, ...] | None:
        """The feature flags that limit what is shown; ``None`` for an organization, which sees everything."""
        return None if self.application_id is None else self.feature_flags


class Authenticator:
    """Checks tokens; caches a valid one by its digest, until it expires or is revoked."""

    def __init__(self, engine: EngineCore, keys: TokenKeys, revocations: Revocations, clock: Clock) -> None:
        self._engine = engine
        self._keys = keys
        self._revocations = revocations
        self._clock = clock
        self._known: OrderedDict[bytes, Principal] = OrderedDict()

    def principal(self, authorization: str | None) -> Principal:
        """The principal of a request's Authorization header; raises ``ApiError`` with 401 or 400."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            raise _invalid()
        token = authorization[7:].lstrip()
        if len(token) > MAX_TOKEN:
            raise _invalid()
        try:
            digest = hashlib.sha256(token.encode()).digest()
        except UnicodeEncodeError:  # The header was not UTF-8: its bytes were decoded to lone surrogates.
            raise _invalid() from None
        now = self._clock.now()
        principal = self._known.get(digest)
        if principal is None:
            principal = self._checked(token, now)
            self._known[digest] = principal
            if len(self._known) > CACHED_TOKENS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(digest)
        if principal.expires_at < now or self._revocations.concern(principal.subjects, principal.token_id, now):
            raise _invalid()
        return principal

    def _checked(self, token: str, now: int) -> Principal:
        claims = self._keys.verified(token)
        if claims is None:
            if self._keys.is_the_secret(token):
                raise ApiError(
                    401,
                    "authentication_failed",
                    "Authentication failed. JWT signing secrets can not be used as tokens, please refer to "
                    "https://github.com/svix/svix-webhooks#authentication for more information.",
                )
            raise _invalid()
        expires_at = _expiry(claims, now)
        subject = claims.get("sub")
        if not isinstance(subject, str):
            raise ApiError(401, "authentication_failed", "Invalid token (missing `sub`).")
        if "org" in claims and claims["org"] is not None:
            return self._of_application(token, claims, subject, expires_at)
        if not subject.startswith("org_"):
            raise ApiError(400, "bad_token", "`sub` is not a valid organization id.")
        return Principal(
            organization=self._engine.organization(subject),
            application_id=None,
            feature_flags=(),
            capabilities=None,
            token_id=_token_id(claims),
            subjects=(token_subject(signed_part(token)),),
            expires_at=expires_at,
        )

    def _of_application(self, token: str, claims: Mapping[str, Any], subject: str, expires_at: int) -> Principal:
        organization_id = claims["org"]
        if not isinstance(organization_id, str) or not organization_id.startswith("org_"):
            raise ApiError(400, "bad token", "`org` is not a valid organization id")
        if not subject.startswith("app_"):
            raise ApiError(400, "bad token", "`sub` is not a valid application id")
        subjects = [token_subject(signed_part(token)), application_subject(subject)]
        session_id = claims.get("session_id")
        if isinstance(session_id, str):
            subjects.append(session_subject(subject, session_id))
        return Principal(
            organization=self._engine.organization(organization_id),
            application_id=subject,
            # A value that cannot be the name of a flag matches no event type.
            feature_flags=tuple(filter(is_name, _strings(claims.get("feature_flags")) or ()))[:MAX_FEATURE_FLAGS],
            capabilities=None if "capabilities" not in claims else frozenset(_strings(claims["capabilities"]) or ()),
            token_id=_token_id(claims),
            subjects=tuple(subjects),
            expires_at=expires_at,
            session_id=session_id if isinstance(session_id, str) else None,
        )


def _expiry(claims: Mapping[str, Any], now: int) -> int:
    """When the token expires; raises ``ApiError`` if it is not accepted now."""
    issued_at, not_before, expiry = (_instant(claims, name) for name in ("iat", "nbf", "exp"))
    if issued_at is not None and issued_at > now + LEEWAY:
        raise _invalid()
    if not_before is not None and not_before > now + LEEWAY:
        raise _invalid()
    expires_at = _NEVER if expiry is None else expiry + LEEWAY
    if expires_at < now:
        raise _invalid()
    return expires_at


def _instant(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid()
    if isinstance(value, float) and not math.isfinite(value):
        raise _invalid()
    return int(min(max(value, 0), _NEVER // 1_000_000) * 1_000_000)


def _token_id(claims: Mapping[str, Any]) -> str:
    """An id that sorts by the token's creation time, also for tokens made elsewhere."""
    given = claims.get("jti")
    if isinstance(given, str) and is_id(TOKEN_ID_PREFIX, given):
        return given
    return id_bounds(TOKEN_ID_PREFIX, _instant(claims, "iat") or 0)[0]


def _strings(value: object) -> tuple[str, ...] | None:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def _invalid() -> ApiError:
    return ApiError(401, "authentication_failed", "Invalid token")
