"""The credentials that requests to an endpoint carry: stored encrypted, and shown with their secrets masked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from webhook_engine.errors import ValidationError
from webhook_engine.model import EndpointAuthentication, EndpointOptions, EndpointTls
from webhook_engine.resources.services import Services
from webhook_engine.rules import authentication as rules
from webhook_engine.rules.problems import OptionRule
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.endpoint_encryption import (
    decrypt_credentials,
    decrypt_headers,
    decrypt_user_info,
    encrypt_credentials,
)
from webhook_engine.store.records import EndpointChanges, StoredEndpoint

__all__ = ["SECRET_OPTIONS", "checked_credentials", "credentials_of", "require_one_proof", "with_credentials"]

SECRET_OPTIONS = ("authentication", "tls")
"""Options whose secrets are stored separately."""

Credentials = Mapping[str, Mapping[str, str]]


async def checked_credentials(
    services: Services, given: Mapping[str, object], before: Credentials
) -> dict[str, dict[str, str] | None]:
    """Check the options that have secrets; ``before`` is the stored endpoint. Raises ``ValidationError``."""
    result: dict[str, dict[str, str] | None] = {}
    if "authentication" in given:
        result["authentication"] = rules.checked(
            "authentication",
            given["authentication"],
            before.get("authentication"),
            https_only=services.policy.https_only,
        )
    if "tls" in given:
        result["tls"] = tls = rules.checked_tls("tls", given["tls"], before.get("tls"))
        if tls is not None:
            await asyncio.to_thread(_check_tls, tls)
    return result


def with_credentials(
    cipher: Cipher,
    endpoint_id: str,
    options: EndpointOptions,
    before: Credentials,
    checked: Mapping[str, dict[str, str] | None],
) -> tuple[EndpointOptions, bytes | None]:
    """The options as shown, with the checked ones in place, and all credentials, encrypted."""
    shown: dict[str, Any] = {}
    if "authentication" in checked:
        proof = checked["authentication"]
        shown["authentication"] = None if proof is None else EndpointAuthentication(**rules.shown(proof))
    if "tls" in checked:
        tls = checked["tls"]
        shown["tls"] = None if tls is None else EndpointTls(**rules.shown(tls))
    kept = {name: value for name, value in {**before, **checked}.items() if value is not None}
    return msgspec.structs.replace(options, **shown), encrypt_credentials(cipher, endpoint_id, kept)


def require_one_proof(cipher: Cipher, before: StoredEndpoint, changes: EndpointChanges) -> None:
    """Raise ``ValidationError`` if requests would be authenticated in two ways after these changes."""
    options = before.endpoint.options if changes.options is UNSET else changes.options
    if options.authentication is None:
        return
    endpoint_id, headers, user_info = before.endpoint.id, before.encrypted_headers, before.encrypted_user_info
    field = "authentication"
    if changes.encrypted_headers is not UNSET:
        field, headers = "headers", changes.encrypted_headers
    if changes.encrypted_user_info is not UNSET:
        field, user_info = "url", changes.encrypted_user_info
    conflict = rules.conflict(
        True, decrypt_headers(cipher, endpoint_id, headers), decrypt_user_info(cipher, endpoint_id, user_info)
    )
    if conflict is not None:
        where = field if changes.options is UNSET else "authentication"
        raise ValidationError(where, f"cannot be so: {conflict}", OptionRule.ONE_PROOF)


def credentials_of(cipher: Cipher, stored: StoredEndpoint) -> dict[str, dict[str, str]]:
    """Decrypt the credentials of an endpoint; raises ``SecretsUnreadableError``."""
    return decrypt_credentials(cipher, stored.endpoint.id, stored.encrypted_credentials)


def _check_tls(tls: Mapping[str, str]) -> None:
    from webhook_engine.secrets.certificates import check_authorities, check_pair  # noqa: PLC0415 (few endpoints have certificates)

    if "certificate" in tls:
        check_pair("tls", tls["certificate"], tls["key"])
    if "ca" in tls:
        check_authorities("tls.ca", tls["ca"])
