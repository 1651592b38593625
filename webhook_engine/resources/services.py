"""What the managers of the resources work with."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.delivery.pipeline import DeliveryFlow
from webhook_engine.ids import IdSource
from webhook_engine.resources.edits import EditLocks
from webhook_engine.secrets.encryption import Sealer
from webhook_engine.store.directory import Directory
from webhook_engine.store.seam import Store

__all__ = ["Policy", "Services"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits that validation obeys."""

    https_only: bool
    default_signature: str
    """``hmac256`` or ``ed25519``."""
    recover_max_age: timedelta
    payload_retention: timedelta
    max_payload_bytes: int = 1024 * 1024


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an engine that its managers share."""

    store: Store
    directory: Directory
    flow: DeliveryFlow
    clock: Clock
    ids: IdSource
    sealer: Sealer
    policy: Policy
    edits: EditLocks = msgspec.field(default_factory=EditLocks)
