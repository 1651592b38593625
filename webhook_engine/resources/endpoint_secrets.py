"""The signing secret of an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, cast

import msgspec

from webhook_engine.clock import to_datetime
from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.events import EndpointUpdatedEvent
from webhook_engine.resources import rotation
from webhook_engine.resources.endpoint_editor import EndpointEditor
from webhook_engine.resources.services import Policy
from webhook_engine.rules import limits
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.store.endpoint_encryption import decrypt_secret, encrypt_secret
from webhook_engine.store.records import EndpointChanges

__all__ = ["EndpointSecrets", "ReplacedSecret", "signing_key"]


class ReplacedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A replaced signing secret: what the consumer verifies with, and when it expires."""

    secret: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"ReplacedSecret(expires_at={self.expires_at!r})"


class EndpointSecrets:
    """The signing secrets of endpoints."""

    def __init__(self, editor: EndpointEditor) -> None:
        self._editor = editor
        self._services = editor.services

    async def get(self, application: str, endpoint: str) -> str:
        """What the consumer verifies with."""
        _, stored = await self._editor.find(application, endpoint)
        secret = decrypt_secret(self._services.cipher, stored.endpoint.id, stored.encrypted_key)
        return SigningKey.parse(secret).public

    async def replaced(self, application: str, endpoint: str) -> Sequence[ReplacedSecret]:
        """The replaced secrets that still sign, newest first."""
        _, stored = await self._editor.find(application, endpoint)
        now = self._services.flow.believed_now()
        return [
            ReplacedSecret(
                secret=SigningKey.parse(
                    decrypt_secret(self._services.cipher, stored.endpoint.id, old.encrypted)
                ).public,
                expires_at=to_datetime(old.expires_at),
            )
            for old in sorted(stored.old_keys, key=lambda old: old.expires_at, reverse=True)
            if old.expires_at > now
        ]

    async def rotate(
        self,
        application: str,
        endpoint: str,
        secret: str | None = None,
        grace_period: timedelta = limits.DEFAULT_GRACE,
    ) -> str:
        """Replace the signing secret, and return what the consumer verifies with."""
        found = await self._editor.application(application)
        key = signing_key(secret, self._services.policy)
        grace = limits.grace_period("grace_period", grace_period)
        async with self._editor.edit(found, endpoint) as edit:
            endpoint_id = edit.before.endpoint.id
            changes = EndpointChanges(
                encrypted_key=encrypt_secret(self._services.cipher, endpoint_id, key.secret),
                old_keys=rotation.still_valid(
                    edit.before.encrypted_key,
                    edit.before.old_keys,
                    # A clock that is ahead for a moment must not expire secrets that still sign.
                    now=self._services.flow.believed_now(),
                    grace=grace,
                    is_new=lambda encrypted: self._holds(encrypted, endpoint_id, key),
                ),
            )
            await edit.change(changes, EndpointUpdatedEvent)
        return key.public

    def _holds(self, encrypted: bytes, endpoint_id: str, key: SigningKey) -> bool:
        """Whether an encrypted secret is this key; ``False`` if it cannot be decrypted, which is a reason to rotate."""
        try:
            return decrypt_secret(self._services.cipher, endpoint_id, encrypted) == key.secret
        except SecretsUnreadableError:
            return False


def signing_key(secret: str | None, policy: Policy) -> SigningKey:
    """The key for a secret that a caller gave, or a new one; raises ``ValidationError``."""
    if secret is not None:
        return SigningKey.parse(secret)
    return SigningKey.generate(cast(Literal["hmac256", "ed25519"], policy.default_signature))
