"""The consumer's script for an endpoint: stored encrypted, and simulated on an example."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.delivery.transformations.functions import TransformationError
from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook
from webhook_engine.errors import ConfigError, ValidationError
from webhook_engine.events import EndpointUpdatedEvent
from webhook_engine.model import EndpointTransformation, TransformationTrial
from webhook_engine.resources.endpoint_credentials import credentials_of
from webhook_engine.resources.endpoint_editor import EndpointEditor
from webhook_engine.rules import names, values
from webhook_engine.rules import transformation as rules
from webhook_engine.rules.payload import payload_bytes
from webhook_engine.store.endpoint_encryption import encrypt_credentials
from webhook_engine.store.records import EndpointChanges

__all__ = ["EndpointScripts"]

MAX_PAYLOAD = 1_000_000
"""Bytes of an example payload for a simulation."""


class EndpointScripts:
    """The scripts of endpoints."""

    def __init__(self, editor: EndpointEditor) -> None:
        self._editor = editor
        self._services = editor.services

    async def get(self, application: str, endpoint: str) -> EndpointTransformation:
        """The script of an endpoint; ``code`` is ``None`` if it has none."""
        _, stored = await self._editor.find(application, endpoint)
        return _read(credentials_of(self._services.cipher, stored).get("script"))

    async def patch(
        self,
        application: str,
        endpoint: str,
        *,
        code: str | UnsetType | None,
        enabled: bool | UnsetType,
        variables: Mapping[str, str] | UnsetType | None,
    ) -> EndpointTransformation:
        """Change what is given."""
        services = self._services
        found = await self._editor.application(application)
        new_code = code if code is UNSET else rules.code("code", code)
        new_variables = variables if variables is UNSET else rules.variables("variables", variables)
        if enabled is not UNSET:
            values.boolean("enabled", enabled)
        if isinstance(new_code, str) or enabled is True:
            self._require_allowed()
        async with self._editor.edit(found, endpoint) as edit:
            here = credentials_of(services.cipher, edit.before)
            before = _read(here.get("script"))
            after = EndpointTransformation(
                code=before.code if new_code is UNSET else new_code,
                enabled=before.enabled if enabled is UNSET else enabled,
                variables=before.variables if new_variables is UNSET else new_variables,
                updated_at=to_datetime(services.clock.now()),
            )
            if after.code is None and after.enabled:
                if enabled is True:
                    raise ValidationError("enabled", "must be false where there is no code")
                after = msgspec.structs.replace(after, enabled=False)
            kept = {**here, "script": _written(after)}
            if after.code is None and not after.variables:
                del kept["script"]
            encrypted = encrypt_credentials(services.cipher, edit.before.endpoint.id, kept)
            await edit.change(EndpointChanges(encrypted_credentials=encrypted), EndpointUpdatedEvent)
        return after

    async def simulate(
        self,
        application: str,
        endpoint: str,
        *,
        code: str,
        payload: object,
        event_type: str,
        variables: Mapping[str, str] | None,
    ) -> TransformationTrial:
        """Run a script on a webhook to this endpoint, and send nothing."""
        self._require_allowed()
        _, stored = await self._editor.find(application, endpoint)
        shown, checked = stored.endpoint, rules.code("code", code)
        if checked is None:
            raise ValidationError("code", "must be given")
        body = payload_bytes(payload, MAX_PAYLOAD)
        given = rules.variables("variables", variables)
        if variables is None:
            given = dict(_read(credentials_of(self._services.cipher, stored).get("script")).variables)
        webhook = OutgoingWebhook(
            payload=json.loads(body),
            headers={},
            url=shown.url,
            event_type=names.name("event_type", event_type),
            message_id="msg_example",
            endpoint_id=shown.id,
            application_id=shown.application_id,
        )
        try:
            result, logs = await self._services.flow.transformer.try_script(
                shown.application_id, checked, given, webhook, body
            )
        except (TransformationError, ValidationError) as error:
            return TransformationTrial(problem=str(error))
        if result is None:
            return TransformationTrial(cancelled=True, logs=tuple(logs))
        return TransformationTrial(
            url=result.url,
            method=result.method,
            payload=result.body.decode("utf-8", "replace"),
            headers=result.headers,
            logs=tuple(logs),
        )

    def _require_allowed(self) -> None:
        if self._services.flow.scripts is None:
            raise ConfigError(
                "scripts of consumers are not allowed here; the operator can: transformations.scripts = true"
            )


def _read(kept: Mapping[str, str] | None) -> EndpointTransformation:
    if kept is None:
        return EndpointTransformation(code=None, enabled=False, variables={}, updated_at=None)
    return EndpointTransformation(
        code=kept.get("code"),
        enabled=kept["enabled"] == "true",
        variables=msgspec.json.decode(kept.get("variables", "{}"), type=dict[str, str]),
        updated_at=to_datetime(int(kept["updated_at"])),
    )


def _written(script: EndpointTransformation) -> dict[str, str]:
    """As a mapping of strings, the form in which credentials are stored."""
    kept = {"enabled": "true" if script.enabled else "false", "variables": json.dumps(dict(script.variables))}
    if script.updated_at is not None:
        kept["updated_at"] = str(from_datetime(script.updated_at))
    return kept if script.code is None else {**kept, "code": script.code}
