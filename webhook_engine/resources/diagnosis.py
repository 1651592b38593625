"""Diagnosing why a received request does not verify, with the endpoint's keys and messages at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from webhook_engine.errors import SecretsUnreadableError
from webhook_engine.model import Application, Endpoint
from webhook_engine.resources.services import Services
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.store.endpoint_encryption import decrypt_secret
from webhook_engine.store.records import StoredEndpoint

__all__ = ["Diagnosis", "Finding", "diagnose", "parse_headers"]

_LINE = re.compile(r"""\s*(?:>\s*)?(?:-H\s+)?["']?([A-Za-z][A-Za-z0-9_-]*)["']?\s*[:=]\s*["']?(.*?)["'\s,\\]*$""")


PREFIXES = ("webhook", "svix")


class Finding(StrEnum):
    """What the diagnosis of a request found."""

    VERIFIED = "verified"
    MISSING_HEADER = "missing_header"
    BAD_TIMESTAMP = "bad_timestamp"
    OLD_SECRET = "old_secret"  # noqa: S105
    """It is signed with a secret that was rotated since."""
    OTHER_ENDPOINT = "other_endpoint"
    BODY_REFORMATTED = "body_reformatted"
    """The body has the same JSON content as the one sent, formatted differently."""
    BODY_TRIMMED = "body_trimmed"
    """Whitespace around the body was added or removed."""
    BODY_CHANGED = "body_changed"
    SIGNATURE_CHANGED = "signature_changed"
    """The body is the one sent, but a signed header differs."""
    UNKNOWN = "unknown"
    """Neither the signature nor the message is known here."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What the diagnosis found, with the details that belong to it."""

    finding: Finding
    header: str | None = None
    """The header that is missing."""
    age_s: int | None = None
    """How many seconds ago it was signed, if it was."""
    endpoint: Endpoint | None = None
    """The endpoint that it was sent to."""


def parse_headers(text: str) -> dict[str, str]:
    """Parse pasted headers: from a log, from developer tools, from a command line, or as JSON. Pure."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict):
        return {str(name).lower(): str(value[0] if isinstance(value, list) else value) for name, value in said.items()}
    found = (_LINE.match(line) for line in text.splitlines())
    return {match[1].lower().replace("_", "-").removeprefix("http-"): match[2] for match in found if match}


async def diagnose(
    services: Services, application: Application, stored: StoredEndpoint, headers: Mapping[str, str], body: bytes
) -> Diagnosis:
    """Diagnose a request that an endpoint received, or should have received."""
    prefix = next((one for one in PREFIXES if f"{one}-signature" in headers or f"{one}-id" in headers), PREFIXES[0])
    for name in ("id", "timestamp", "signature"):
        if not headers.get(f"{prefix}-{name}"):
            return Diagnosis(finding=Finding.MISSING_HEADER, header=f"{prefix}-{name}")
    message_id, timestamp, given = (headers[f"{prefix}-{name}"].strip() for name in ("id", "timestamp", "signature"))
    if not (timestamp.isascii() and timestamp.isdigit()):
        return Diagnosis(finding=Finding.BAD_TIMESTAMP)
    age_s = services.clock.now() // 1_000_000 - int(timestamp)
    signatures = given.split()

    def signed(keys: Sequence[SigningKey], content: bytes) -> bool:
        head = f"{message_id}.{timestamp}.".encode()
        return any(key.signature(head + content) in signatures for key in keys)

    current, *older = _keys(services, stored)
    if signed([current], body):
        return Diagnosis(finding=Finding.VERIFIED, age_s=age_s)
    if signed(older, body):
        return Diagnosis(finding=Finding.OLD_SECRET, age_s=age_s)
    message = await services.store.messages.get(application.id, message_id)
    sent = None if message is None else message.payload
    contents = [body] if sent is None or sent == body else [body, sent]
    for other in await services.store.endpoints.of_application(application.id):
        if other.endpoint.id != stored.endpoint.id and any(
            signed(list(_keys(services, other)), one) for one in contents
        ):
            return Diagnosis(finding=Finding.OTHER_ENDPOINT, endpoint=other.endpoint, age_s=age_s)
    if sent is None:
        return Diagnosis(finding=Finding.UNKNOWN, age_s=age_s)
    if sent == body:
        return Diagnosis(finding=Finding.SIGNATURE_CHANGED, age_s=age_s)
    return Diagnosis(finding=_change(sent, body), age_s=age_s)


def _keys(services: Services, stored: StoredEndpoint) -> Iterator[SigningKey]:
    """The keys of an endpoint, the current one first. A replaced key that cannot be decrypted is left out."""
    endpoint_id = stored.endpoint.id
    yield SigningKey.parse(decrypt_secret(services.cipher, endpoint_id, stored.encrypted_key))
    for old in stored.old_keys:
        try:
            yield SigningKey.parse(decrypt_secret(services.cipher, endpoint_id, old.encrypted))
        except SecretsUnreadableError:
            continue


def _change(sent: bytes, body: bytes) -> Finding:
    """Compare the body received with the one sent. Pure."""
    if sent.strip() == body.strip():
        return Finding.BODY_TRIMMED
    try:
        same = json.loads(sent) == json.loads(body)
    except (ValueError, RecursionError):
        return Finding.BODY_CHANGED
    return Finding.BODY_REFORMATTED if same else Finding.BODY_CHANGED
