"""Applying transformations to a request; the result is checked and ready to be signed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import msgspec
from multidict import CIMultiDict
from yarl import URL

from webhook_engine.delivery.attempt.target import Target, Transforming
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.transformations.functions import Functions, TransformationError
from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook, Transformed, is_json, transformed
from webhook_engine.delivery.transformations.scripts import Said, Scripts
from webhook_engine.errors import ValidationError
from webhook_engine.rules.headers import is_sensitive
from webhook_engine.rules.payload import LARGE, payload_bytes
from webhook_engine.rules.user_info import MASK
from webhook_engine.store.records import Due

__all__ = ["CANCELLED", "AsSent", "Transformer"]

CANCELLED = "cancelled by the transformation"


class AsSent(msgspec.Struct, frozen=True, gc=False):
    """The transformed target, delivery and payload, used for one request only."""

    target: Target
    request: Due
    payload: bytes


class Transformer:
    """Applies an endpoint's transformations: the platform's function first, then the consumer's script."""

    def __init__(
        self,
        functions: Functions,
        scripts: Scripts | None,
        *,
        timeout_s: float,
        https_only: bool,
    ) -> None:
        """``scripts`` is ``None`` if the operator does not allow scripts."""
        self._functions = functions
        self._scripts = scripts
        self._timeout_s = timeout_s
        self._https_only = https_only

    async def apply(
        self, target: Target, request: Due, event_type: str, payload: bytes, wanted: Transforming
    ) -> AsSent | Response | None:
        """Transform ``request``, for a message of this event type and the rest of its batch.

        Returns a failed response if the transformation fails, and ``None`` if nothing is to be sent.
        """
        try:
            result = await self._applied(target, request, event_type, payload, wanted)
        except TransformationError as error:
            return _failed(str(error), timed_out=error.timed_out)
        except ValidationError as error:
            return _failed(f"the transformation made what cannot be sent: {error}")
        return None if result is None else _as_sent(target, request, wanted, result)

    async def try_script(
        self, application_id: str, code: str, variables: Mapping[str, str], webhook: OutgoingWebhook, payload: bytes
    ) -> tuple[Transformed | None, list[str]]:
        """Run a script; returns the webhook and the log. Raises ``TransformationError`` and ``ValidationError``."""
        webhook, said = await self._by_script(application_id, code, variables, webhook)
        return await self._checked(payload, webhook, said.size), list(said.logs)

    async def _applied(
        self, target: Target, request: Due, event_type: str, payload: bytes, wanted: Transforming
    ) -> Transformed | None:
        endpoint = target.endpoint
        webhook = OutgoingWebhook(
            payload=await _read(payload, request.content_type, as_it_is=wanted.name is None),
            headers=dict(wanted.headers),
            url=str(target.destination.url),
            method=target.destination.method,
            content_type=request.content_type,
            event_type=event_type,
            message_id=request.message_id,
            event_id=request.event_id,
            endpoint_id=endpoint.id,
            application_id=endpoint.application_id,
            application_uid=target.application_uid,
        )
        if wanted.name is not None:
            webhook = await self._functions.call(wanted.name, webhook, self._timeout_s)
        size = 0
        if wanted.script is not None and not webhook.cancel:
            webhook, said = await self._by_script(endpoint.application_id, wanted.script, wanted.variables, webhook)
            size = said.size
        return await self._checked(payload, webhook, size)

    async def _by_script(
        self, application_id: str, code: str, variables: Mapping[str, str], webhook: OutgoingWebhook
    ) -> tuple[OutgoingWebhook, Said]:
        if self._scripts is None:
            raise TransformationError(
                "scripts are not allowed here; the operator can allow them: transformations.scripts"
            )
        before = webhook.payload
        if isinstance(before, bytes):
            raise TransformationError("a script can be given JSON only, and this payload is none")
        if isinstance(before, str):
            before = msgspec.Raw(json.dumps(before))
        elif not isinstance(before, msgspec.Raw):
            before = msgspec.Raw(payload_bytes(before))
        given: dict[str, object] = {
            "method": webhook.method,
            "url": webhook.url,
            "payload": before,
            "headers": {},
            "eventType": webhook.event_type,
            "cancel": False,
            "variables": dict(variables),
        }
        said = await self._scripts.run(application_id, code, given)
        return _by_said(webhook, said), said

    async def _checked(self, payload: bytes, webhook: OutgoingWebhook, size: int) -> Transformed | None:
        """Check a transformed webhook; ``size``: bytes of what a script returned."""
        if max(len(payload), size) <= LARGE:
            return transformed(payload, webhook, https_only=self._https_only)
        return await asyncio.to_thread(transformed, payload, webhook, https_only=self._https_only)


def _by_said(webhook: OutgoingWebhook, said: Said) -> OutgoingWebhook:
    """The webhook with what a script returned, which may be anything."""
    headers, content_type = said.value("headers") or {}, webhook.content_type
    if not isinstance(headers, Mapping) or not all(isinstance(value, str) for value in headers.values()):
        raise ValidationError("headers", "must be an object of strings")
    own = {name.lower(): (name, value) for name, value in webhook.headers.items()}
    for name, value in headers.items():
        if name.lower() == "content-type":
            content_type = value
        else:
            own[name.lower()] = name, value
    return msgspec.structs.replace(
        webhook,
        method=said.value("method", webhook.method),
        url=said.value("url", webhook.url),
        payload=webhook.payload if said.same else said.webhook.get("payload"),
        cancel=said.value("cancel", False) is True,
        headers=dict(own.values()),
        content_type=content_type,
    )


async def _read(payload: bytes, content_type: str | None, *, as_it_is: bool) -> object:
    """Parse a JSON payload, or keep it raw with ``as_it_is``; ``bytes`` if it is not JSON."""
    if not is_json(content_type):
        return payload
    read = _checked_json if as_it_is else json.loads
    try:
        return read(payload) if len(payload) <= LARGE else await asyncio.to_thread(read, payload)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return payload  # Declared as JSON by its sender, but it is not.


def _checked_json(payload: bytes) -> msgspec.Raw:
    payload.decode()
    return msgspec.json.decode(payload, type=msgspec.Raw)


def _as_sent(target: Target, request: Due, wanted: Transforming, result: Transformed) -> AsSent:
    before = target.destination
    url = URL(result.url, encoded=True)
    at_home = url.origin() == before.url.origin()
    own = result.headers
    if not at_home:
        # A transformation that redirects a request must not get the endpoint's credentials sent there.
        kept = {name.lower(): value for name, value in wanted.headers.items()}
        own = {name: value for name, value in own.items() if not is_sensitive(name) or kept.get(name.lower()) != value}
    headers = CIMultiDict({"user-agent": before.headers["user-agent"]})
    if at_home and wanted.authorization is not None:
        headers["authorization"] = wanted.authorization
    for name, value in own.items():
        headers.pop(name, None)
        headers[name] = value
    shown = {name: MASK if is_sensitive(name) else value for name, value in headers.items()}
    token_client = target.token_client if at_home and "authorization" not in headers else None
    if token_client is not None:
        shown["authorization"] = MASK
    endpoint = target.endpoint
    if url != before.url:
        endpoint = msgspec.structs.replace(endpoint, url=result.url)
    return AsSent(
        msgspec.structs.replace(
            target,
            endpoint=endpoint,
            destination=Destination(
                url,
                headers,
                before.application_id,
                method=result.method,
                timeout_s=before.timeout_s,
                identity=before.identity if at_home else None,
            ),
            headers={"content-type": target.content_type, **shown},
            token_client=token_client,
        ),
        msgspec.structs.replace(request, content_type=result.content_type),
        result.body,
    )


def _failed(text: str, *, timed_out: bool = False) -> Response:
    return Response(0, text, FailureKind.TRANSFORMATION, 0, timed_out=timed_out, sent=False)
