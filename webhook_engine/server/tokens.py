"""API tokens: JSON Web Tokens (RFC 7519) for an organization or one application. Pure, except for the secret's file.

A token names its organization in ``sub``, or its application in ``sub`` and the organization in ``org``. Each has an id
(``jti``) that sorts by its creation time, so that all tokens up to a given time can be revoked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from webhook_engine.config.loading import Config
from webhook_engine.errors import ConfigError
from webhook_engine.secrets.agreement import SharedSecret
from webhook_engine.secrets.files import SecretFile, load_or_create_secret_file, older_secrets

__all__ = [
    "ISSUER",
    "ORGANIZATION_LIFETIME",
    "TOKEN_ID_PREFIX",
    "TokenKeys",
    "application_claims",
    "organization_claims",
    "signed_part",
]

TOKEN_ID_PREFIX = "tok_"  # noqa: S105
ISSUER = "svix-server"
ORGANIZATION_LIFETIME = timedelta(days=10 * 365)

_SIGNATURE_ONLY = {
    "verify_signature": True,
    **{f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


class TokenKeys:
    """The keys that tokens are signed and verified with; the configuration sets the algorithm, never the token."""

    def __init__(
        self,
        algorithm: str,
        *,
        secret: str | None = None,
        public_key: str | None = None,
        older: Sequence[str] = (),
    ) -> None:
        """Tokens signed with ``older`` secrets are valid too."""
        self._algorithm = algorithm
        self._secret = secret
        self.shared = None if secret is None else SharedSecret.of("auth.jwt_secret", secret, older)
        """What must be the same for all engines on a database; ``None`` if tokens are made elsewhere."""
        self._checking = [secret if secret is not None else public_key, *older]

    @classmethod
    def of(cls, config: Config) -> TokenKeys:
        """The configured keys; a missing shared secret is generated beside the database.

        Raises ``ConfigError``.
        """
        auth = config.auth
        if auth.jwt_public_key is not None:
            return cls(auth.jwt_algorithm, public_key=auth.jwt_public_key)
        file = SecretFile.JWT.of(config.store.files)
        secret = auth.jwt_secret.reveal() if auth.jwt_secret is not None else load_or_create_secret_file(file)
        return cls(auth.jwt_algorithm, secret=secret, older=older_secrets(file))

    def sign(self, claims: Mapping[str, object]) -> str:
        """Sign a token with these claims; raises ``ConfigError`` if only a public key is configured."""
        if self._secret is None:
            raise ConfigError(
                f"auth.jwt_public_key: tokens cannot be made here, since {self._algorithm} tokens are signed with a "
                "private key elsewhere; make the token there, or configure auth.jwt_secret with an HS algorithm"
            )
        import jwt  # noqa: PLC0415 (loaded with the first request that has a token)

        with _any_length():
            return jwt.encode(dict(claims), self._secret, algorithm=self._algorithm)

    def verified(self, token: str) -> dict[str, Any] | None:
        """The claims of a token with a valid signature, not checked any further; ``None`` otherwise."""
        import jwt  # noqa: PLC0415 (as above)

        with _any_length():
            for key in self._checking:
                try:
                    claims = jwt.decode(token, key, algorithms=[self._algorithm], options=_SIGNATURE_ONLY)  # type: ignore[arg-type]
                    # Lone surrogates, which JSON can escape, can be neither stored nor shown.
                    json.dumps(claims, ensure_ascii=False).encode()
                    return claims
                except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                    continue
        return None

    def is_the_secret(self, token: str) -> bool:
        """Whether a token is in fact the signing secret, passed by mistake."""
        return self._secret is not None and hmac.compare_digest(token.encode(), self._secret.encode())


@contextmanager
def _any_length() -> Iterator[None]:
    """Allow a short secret: its length is the operator's choice, and the server warns once at start."""
    from jwt.warnings import InsecureKeyLengthWarning  # noqa: PLC0415 (as above)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        yield


def organization_claims(
    organization_id: str, token_id: str, now_s: int, lifetime: timedelta = ORGANIZATION_LIFETIME
) -> dict[str, object]:
    """The claims of a token with access to a whole organization."""
    return {**_times(now_s, lifetime), "iss": ISSUER, "sub": organization_id, "jti": token_id}


def application_claims(
    organization_id: str,
    application_id: str,
    token_id: str,
    now_s: int,
    lifetime: timedelta,
    *,
    feature_flags: Sequence[str] = (),
    capabilities: Sequence[str] | None = None,
    session_id: str | None = None,
) -> dict[str, object]:
    """The claims of a token for one application, limited to ``capabilities`` unless that is ``None``."""
    claims: dict[str, object] = {
        **_times(now_s, lifetime),
        "iss": ISSUER,
        "sub": application_id,
        "org": organization_id,
        "jti": token_id,
    }
    if feature_flags:
        claims["feature_flags"] = list(feature_flags)
    if capabilities is not None:
        claims["capabilities"] = list(capabilities)
    if session_id is not None:
        claims["session_id"] = session_id
    return claims


def signed_part(token: str) -> bytes:
    """A digest of the part of a token that is signed; independent of how the signature is spelled."""
    return hashlib.sha256(token.rpartition(".")[0].encode("utf-8", "surrogatepass")).digest()


def _times(now_s: int, lifetime: timedelta) -> dict[str, object]:
    return {"iat": now_s, "exp": now_s + int(lifetime.total_seconds()), "nbf": now_s}
