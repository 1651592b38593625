"""The parts of an engine that the managers use."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from webhook_engine.clock import Clock
from webhook_engine.delivery.pipeline import Pipeline
from webhook_engine.home_loop import HomeLoop
from webhook_engine.ids import IdSource
from webhook_engine.resources.edits import EditLocks
from webhook_engine.rules.endpoint_options import OptionBounds
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.directory import Directory
from webhook_engine.store.seam import Store

__all__ = ["Policy", "Services"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits that validation obeys."""

    https_only: bool
    default_signature: str
    """``hmac256`` or ``ed25519``."""
    recover_max_age: timedelta
    endpoint_options: OptionBounds
    circuit_breaker: bool
    """The default for endpoints that do not set it."""
    alerts_organization: str
    mail_organizations: frozenset[str]
    """Organizations whose endpoints may be e-mail addresses."""
    sends_mail: bool
    """Whether a mail server is configured."""
    digest: timedelta
    """How long an e-mail waits to collect further events."""


class Services:
    """The parts of an engine that its managers share.

    The store, the flow and what belongs to them are available only in the engine's own event loop; elsewhere they raise
    ``EngineNotRunningError``.
    """

    __slots__ = ("_directory", "_edits", "_flow", "_home", "_store", "cipher", "clock", "ids", "policy")

    def __init__(
        self,
        *,
        home: HomeLoop,
        store: Store,
        directory: Directory,
        flow: Pipeline,
        clock: Clock,
        ids: IdSource,
        cipher: Cipher,
        policy: Policy,
    ) -> None:
        self._home = home
        self._store = store
        self._directory = directory
        self._flow = flow
        shared = store.wakeups is not None
        self._edits = EditLocks(store.kept_responses if shared else None, flow.believed_now)
        self.clock = clock
        self.ids = ids
        self.cipher = cipher
        self.policy = policy

    @property
    def store(self) -> Store:
        """The database."""
        self._home.require()
        return self._store

    @property
    def directory(self) -> Directory:
        """Applications and endpoints in memory."""
        self._home.require()
        return self._directory

    @property
    def flow(self) -> Pipeline:
        """The delivery pipeline."""
        self._home.require()
        return self._flow

    @property
    def edits(self) -> EditLocks:
        """Shared by all managers of an engine."""
        self._home.require()
        return self._edits
