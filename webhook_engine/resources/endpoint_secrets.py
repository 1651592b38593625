"""The signing secret and the own headers of an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, cast

from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.events import EndpointUpdatedEvent
from webhook_engine.model import EndpointHeaders
from webhook_engine.resources import rotation
from webhook_engine.resources.endpoint_edits import EndpointEdits
from webhook_engine.resources.services import Policy
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules import limits
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.store.records import EndpointChanges
from webhook_engine.store.sealed import open_headers, open_secret, seal_headers, seal_secret

__all__ = ["EndpointSecrets", "signing_key"]


class EndpointSecrets(EndpointEdits):
    """What an endpoint is signed with, and the headers that it wants."""

    async def get_secret(self, application: str, endpoint: str) -> str:
        """What the consumer verifies with: ``whsec_…``, or the public ``whpk_…`` of an Ed25519 key pair.

        Raises ``NotFoundError``, and ``SecretsUnreadableError`` if it was encrypted with another main secret.
        """
        _, stored = await self._find(application, endpoint)
        secret = open_secret(self._services.sealer, stored.endpoint.id, stored.sealed_key)
        return SigningKey.parse(secret).public

    async def rotate_secret(
        self,
        application: str,
        endpoint: str,
        secret: str | None = None,
        grace_period: timedelta = limits.DEFAULT_GRACE,
    ) -> str:
        """Put a new signing secret in the place of the current one, and return it as :meth:`get_secret` does.

        ``secret``: ``whsec_…`` or ``whsk_…``; by default one is generated. For ``grace_period`` (up to 7 days) messages
        are signed with the replaced secret too. Raises ``RotationLimitError`` if ten replaced secrets are still valid,
        ``NotFoundError`` and ``ValidationError``.
        """
        found = await self._application(application)
        key = signing_key(secret, self._services.policy)
        grace = limits.grace_period("grace_period", grace_period)
        _, stored = await self._find(found.id, endpoint)
        endpoint_id = stored.endpoint.id
        async with self._services.edits.of(endpoint_id):
            stored = await self._current(found, endpoint_id)
            changes = EndpointChanges(
                sealed_key=seal_secret(self._services.sealer, endpoint_id, key.secret),
                old_keys=rotation.still_valid(
                    stored.sealed_key,
                    stored.old_keys,
                    now=self._services.clock.now(),
                    grace=grace,
                    is_new=lambda sealed: self._holds(sealed, endpoint_id, key),
                ),
            )
            await self._commit(found, stored, changes, EndpointUpdatedEvent)
        return key.public

    def _holds(self, sealed: bytes, endpoint_id: str, key: SigningKey) -> bool:
        """Whether a sealed secret is this key; one that cannot be read, which is a reason to rotate it, is none."""
        try:
            return open_secret(self._services.sealer, endpoint_id, sealed) == key.secret
        except SecretsUnreadableError:
            return False

    async def get_headers(self, application: str, endpoint: str) -> EndpointHeaders:
        """The endpoint's own headers; values that are secret (``authorization`` and the like) are left out."""
        _, stored = await self._find(application, endpoint)
        return _shown(open_headers(self._services.sealer, stored.endpoint.id, stored.sealed_headers))

    async def set_headers(self, application: str, endpoint: str, headers: Mapping[str, str]) -> None:
        """Replace all own headers of the endpoint; they are sent from the next attempt.

        Raises ``NotFoundError``, and ``ValidationError`` for a header that must not be set or cannot be sent.
        """
        found = await self._application(application)
        checked = header_rules.checked("headers", headers)
        _, stored = await self._find(found.id, endpoint)
        endpoint_id = stored.endpoint.id
        async with self._services.edits.of(endpoint_id):
            stored = await self._current(found, endpoint_id)
            sealed = seal_headers(self._services.sealer, endpoint_id, checked)
            await self._commit(found, stored, EndpointChanges(sealed_headers=sealed))

    async def patch_headers(self, application: str, endpoint: str, changes: Mapping[str, str | None]) -> None:
        """Set some own headers of the endpoint, and remove those with the value ``None``; the others stay.

        Names that differ only in case are one header. Raises like :meth:`set_headers`.
        """
        found = await self._application(application)
        header_rules.changed("headers", {}, changes)
        _, stored = await self._find(found.id, endpoint)
        endpoint_id = stored.endpoint.id
        sealer = self._services.sealer
        async with self._services.edits.of(endpoint_id):
            stored = await self._current(found, endpoint_id)
            before = open_headers(sealer, endpoint_id, stored.sealed_headers)
            after = header_rules.changed("headers", before, changes)
            sealed = seal_headers(sealer, endpoint_id, after)
            await self._commit(found, stored, EndpointChanges(sealed_headers=sealed))


def _shown(headers: Mapping[str, str]) -> EndpointHeaders:
    """The headers for people to see: of sensitive ones only the names."""
    return EndpointHeaders(
        headers={name: value for name, value in headers.items() if not header_rules.is_sensitive(name)},
        sensitive=tuple(name for name in headers if header_rules.is_sensitive(name)),
    )


def signing_key(secret: str | None, policy: Policy) -> SigningKey:
    """The key for a secret that a caller gave, or a new one; raises ``ValidationError``."""
    if secret is not None:
        return SigningKey.parse(secret)
    return SigningKey.generate(cast(Literal["hmac256", "ed25519"], policy.default_signature))
