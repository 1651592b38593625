"""Loads endpoints and prepares targets."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

import msgspec

from webhook_engine.delivery.attempt.decision import Rules
from webhook_engine.delivery.attempt.target import Target, prepare
from webhook_engine.delivery.throttle import Throttle
from webhook_engine.errors import NotFoundError
from webhook_engine.model import Application
from webhook_engine.rules.endpoint_options import OptionBounds
from webhook_engine.secrets.encryption import Cipher
from webhook_engine.store.directory import Directory
from webhook_engine.store.records import StoredEndpoint
from webhook_engine.store.seam import EndpointStore

__all__ = ["Targets"]


class Targets:
    """Loads targets from the store. The targets of an application share its rate limit."""

    def __init__(
        self,
        endpoints: EndpointStore,
        directory: Directory,
        cipher: Cipher,
        *,
        user_agent: str,
        prefixes: Sequence[str],
        rules: Rules,
        bounds: OptionBounds,
        circuit_breaker: bool = False,
    ) -> None:
        self._endpoints = endpoints
        self._directory = directory
        self._cipher = cipher
        self._user_agent = user_agent
        self._prefixes = prefixes
        self._rules = rules
        self._bounds = bounds
        self._circuit_breaker = circuit_breaker
        self._throttles: WeakValueDictionary[str, Throttle] = WeakValueDictionary()

    async def load(self, endpoint_id: str) -> tuple[Target, StoredEndpoint]:
        """Load an endpoint; returns its target and its stored form. Raises ``WebhookEngineError`` if that fails."""
        stored = await self._endpoints.load(endpoint_id)
        if stored is None:
            raise NotFoundError("endpoint", endpoint_id)
        endpoint = stored.endpoint
        application = await self._directory.application(endpoint.organization_id, endpoint.application_id)
        target = prepare(
            stored,
            application,
            cipher=self._cipher,
            user_agent=self._user_agent,
            prefixes=self._prefixes,
            rules=self._rules,
            bounds=self._bounds,
            circuit_breaker=self._circuit_breaker,
            application_throttle=self._throttle(application),
        )
        return target, stored if application is not None else msgspec.structs.replace(stored, deleted=True)

    def _throttle(self, application: Application | None) -> Throttle:
        if application is None:
            return Throttle(None)
        throttle = self._throttles.get(application.id)
        if throttle is None or throttle.rate != application.throttle_rate:
            throttle = self._throttles[application.id] = Throttle(application.throttle_rate)
        return throttle
