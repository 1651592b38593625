"""Endpoints: the URLs that the messages of an application go to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Unpack

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.clock import to_datetime
from webhook_engine.errors import ValidationError
from webhook_engine.events import (
    EndpointUpdatedEvent,
)
from webhook_engine.model import (
    Application,
    AttemptStatus,
    AuthenticationTrial,
    Endpoint,
    EndpointHeaders,
    EndpointOptions,
    EndpointOrder,
    EndpointStats,
    EndpointTransformation,
    Message,
    Page,
    Task,
    TransformationTrial,
)
from webhook_engine.resources import pagination
from webhook_engine.resources.diagnosis import Diagnosis, diagnose, parse_headers
from webhook_engine.resources.endpoint_actions import EndpointActions
from webhook_engine.resources.endpoint_credentials import (
    SECRET_OPTIONS,
    checked_credentials,
    credentials_of,
    with_credentials,
)
from webhook_engine.resources.endpoint_editor import DISABLED_BY_HAND, EndpointEditor
from webhook_engine.resources.endpoint_headers import OwnHeaders
from webhook_engine.resources.endpoint_order import Orders
from webhook_engine.resources.endpoint_secrets import EndpointSecrets, ReplacedSecret, signing_key
from webhook_engine.resources.endpoint_transformation import EndpointScripts
from webhook_engine.resources.pagination import Order
from webhook_engine.resources.services import Services
from webhook_engine.rules import documents, endpoint_options, filters, limits, names, values
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules.endpoint_options import OptionValues
from webhook_engine.rules.mail import mail_address, mail_address_in, mail_url
from webhook_engine.rules.pages import DEFAULT_PAGE
from webhook_engine.rules.payload import Payload
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.rules.user_info import merged
from webhook_engine.store.endpoint_encryption import encrypt_headers, encrypt_secret, encrypt_user_info
from webhook_engine.store.records import DeliveryFilter, EndpointChanges, Span, StoredEndpoint
from webhook_engine.store.seam import EventTypeStore

__all__ = ["Endpoints", "endpoint_description", "unknown_event_types"]

MAX_DESCRIPTION = 4096


class Endpoints:
    """The endpoints of the applications of an organization, each addressed by id or uid."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._editor = EndpointEditor(services, organization_id)
        self._secrets = EndpointSecrets(self._editor)
        self._headers = OwnHeaders(self._editor)
        self._actions = EndpointActions(self._editor)
        self._orders = Orders(self._editor)
        self._scripts = EndpointScripts(self._editor)

    async def create(
        self,
        application: str,
        *,
        url: str,
        description: str = "",
        uid: str | None = None,
        event_types: Collection[str] | None = None,
        channels: Collection[str] | None = None,
        throttle_rate: int | None = None,
        version: int = 1,
        disabled: bool = False,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[OptionValues],
    ) -> Endpoint:
        """Add an endpoint; it gets the messages that are created from then on.

        ``url``: http or https, kept in its normal form; a password in it is encrypted, and masked wherever it is shown.
        ``event_types``: registered ones, ``invoice.*`` for all with this prefix, ``None`` for all.
        ``channels``: 1 to 10; only messages with one of these. ``throttle_rate``: messages per second, 1 to 65535.
        ``secret``: ``whsec_…`` or ``whsk_…``, by default a generated one. ``headers``: sent with every message.
        ``options``: further settings of the endpoint, such as ``timeout="5s"``; see
        :class:`~webhook_engine.rules.endpoint_options.OptionValues`.

        Raises ``NotFoundError``, ``ConflictError`` if the uid is taken in the application, and ``ValidationError``.
        """
        services = self._services
        found = await self._editor.application(application)
        now = services.clock.now()
        endpoint_id = services.ids.new("ep_", now)
        closed = values.boolean("disabled", disabled)
        shown_url, user_info, _ = merged("url", self._url(url), None)
        secret_options, others = self._options(options)
        endpoint_options.check_together(others)
        asked, credentials = with_credentials(
            services.cipher,
            endpoint_id,
            EndpointOptions(**others),
            {},
            await checked_credentials(services, secret_options, {}),
        )
        stored = StoredEndpoint(
            endpoint=Endpoint(
                id=endpoint_id,
                application_id=found.id,
                organization_id=self._editor.organization_id,
                uid=names.uid("uid", uid, "ep_"),
                url=shown_url,
                description=endpoint_description(description),
                event_types=await self._event_types(event_types),
                channels=names.channels("channels", channels),
                throttle_rate=limits.throttle_rate("throttle_rate", throttle_rate),
                version=limits.version("version", version),
                disabled=closed,
                disabled_at=to_datetime(now) if closed else None,
                disabled_reason=DISABLED_BY_HAND if closed else None,
                first_failure_at=None,
                metadata=documents.metadata("metadata", metadata),
                created_at=to_datetime(now),
                updated_at=to_datetime(now),
                **msgspec.structs.asdict(asked),
            ),
            encrypted_key=encrypt_secret(services.cipher, endpoint_id, signing_key(secret, services.policy).secret),
            encrypted_headers=encrypt_headers(
                services.cipher, endpoint_id, {} if headers is None else header_rules.checked("headers", headers)
            ),
            encrypted_user_info=encrypt_user_info(services.cipher, endpoint_id, user_info),
            encrypted_credentials=credentials,
        )
        await self._editor.add(stored)
        return stored.endpoint

    async def get(self, application: str, endpoint: str) -> Endpoint:
        """Raises ``NotFoundError`` if there is none."""
        _, stored = await self._editor.find(application, endpoint)
        return stored.endpoint

    async def list(
        self,
        application: str,
        *,
        limit: int = DEFAULT_PAGE,
        iterator: str | None = None,
        order: Order = "descending",
    ) -> Page[Endpoint]:
        """A page of endpoints in the order of their creation, newest first by default; at most 250.

        Raises ``NotFoundError`` and ``ValidationError``.
        """
        request = pagination.by_key(limit=limit, iterator=iterator, order=order, prefix="ep_")
        found = await self._editor.application(application)
        rows = await self._services.store.endpoints.list(found.id, request.span)
        return request.cut([stored.endpoint for stored in rows], _id)

    async def iterate(self, application: str) -> AsyncIterator[Endpoint]:
        """Every endpoint of an application, oldest first."""
        found = await self._editor.application(application)

        async def read(span: Span) -> Sequence[StoredEndpoint]:
            return await self._services.store.endpoints.list(found.id, span)

        async for stored in pagination.walk(read, lambda stored: stored.endpoint.id):
            yield stored.endpoint

    async def update(
        self,
        application: str,
        endpoint: str,
        *,
        url: str | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        uid: str | UnsetType | None = UNSET,
        event_types: Collection[str] | UnsetType | None = UNSET,
        channels: Collection[str] | UnsetType | None = UNSET,
        throttle_rate: int | UnsetType | None = UNSET,
        version: int | UnsetType = UNSET,
        disabled: bool | UnsetType = UNSET,
        metadata: Mapping[str, str] | UnsetType | None = UNSET,
        **options: Unpack[OptionValues],
    ) -> Endpoint:
        """Change what is given, and leave the rest; ``None`` unsets. It applies from the next attempt.

        ``event_types``: registered ones, or those that the endpoint has already, archived or not.
        A ``url`` with the mask that was shown keeps its password. ``disabled`` works like :meth:`disable` and
        :meth:`enable`. Raises ``NotFoundError``, ``ConflictError`` if the uid is taken, and ``ValidationError``.
        """
        found = await self._editor.application(application)
        changes = EndpointChanges(
            uid=UNSET if uid is UNSET else names.uid("uid", uid, "ep_"),
            url=UNSET if url is UNSET else self._url(url),
            description=UNSET if description is UNSET else endpoint_description(description),
            event_types=UNSET if event_types is UNSET else await self._event_types(event_types, found, endpoint),
            channels=UNSET if channels is UNSET else names.channels("channels", channels),
            throttle_rate=UNSET if throttle_rate is UNSET else limits.throttle_rate("throttle_rate", throttle_rate),
            version=UNSET if version is UNSET else limits.version("version", version),
            metadata=UNSET if metadata is UNSET else documents.metadata("metadata", metadata),
        )
        if disabled is not UNSET:
            values.boolean("disabled", disabled)
        secret_options, asked = self._options(options)
        async with self._editor.edit(found, endpoint) as edit:
            changes = self._with_user_info(edit.before, changes)
            if asked or secret_options:
                changed = msgspec.structs.replace(edit.before.endpoint.options, **asked)
                endpoint_options.check_together(msgspec.structs.asdict(changed))
                changes = msgspec.structs.replace(changes, options=changed)
            if secret_options:
                changes = await self._with_credentials(edit.before, changes, secret_options)
            if disabled is UNSET:
                return await edit.change(changes, EndpointUpdatedEvent)
            return await (edit.disable(changes) if disabled else edit.enable(changes))

    async def enable(self, application: str, endpoint: str) -> Endpoint:
        """Let an endpoint get messages again, with a fresh failure window; nothing is sent by itself.

        :meth:`recover` sends what failed, :meth:`replay_missing` what was created meanwhile. An endpoint that is
        enabled stays as it is. Raises ``NotFoundError``.
        """
        async with self._editor.edit(await self._editor.application(application), endpoint) as edit:
            if edit.before.endpoint.disabled:
                return await edit.enable(EndpointChanges())
            return edit.before.endpoint

    async def disable(self, application: str, endpoint: str) -> Endpoint:
        """Send nothing more to an endpoint until it is enabled; what is scheduled for it becomes failed.

        An endpoint that is disabled stays as it is. Raises ``NotFoundError``.
        """
        async with self._editor.edit(await self._editor.application(application), endpoint) as edit:
            if edit.before.endpoint.disabled:
                return edit.before.endpoint
            return await edit.disable(EndpointChanges())

    async def delete(self, application: str, endpoint: str) -> None:
        """Delete an endpoint; what is scheduled for it is cancelled, and its uid is free again.

        Raises ``NotFoundError``.
        """
        async with self._editor.edit(await self._editor.application(application), endpoint) as edit:
            await edit.delete()

    async def get_secret(self, application: str, endpoint: str) -> str:
        """What the consumer verifies with: ``whsec_…``, or the public ``whpk_…`` of an Ed25519 key pair.

        Raises ``NotFoundError``, and ``SecretsUnreadableError`` if it was encrypted with another main secret.
        """
        return await self._secrets.get(application, endpoint)

    async def replaced_secrets(self, application: str, endpoint: str) -> Sequence[ReplacedSecret]:
        """The replaced secrets that messages are still signed with, newest first.

        Raises like :meth:`get_secret`.
        """
        return await self._secrets.replaced(application, endpoint)

    async def diagnose(self, application: str, endpoint: str, headers: str, body: bytes) -> Diagnosis:
        """Why a request that an endpoint received does not verify, if it does not.

        ``headers``: as they were copied from a log, from developer tools or from a command line, one a line; or JSON.
        ``body``: the bytes that were received. Raises ``NotFoundError``.
        """
        found, stored = await self._editor.find(application, endpoint)
        return await diagnose(self._services, found, stored, parse_headers(headers), body)

    async def rotate_secret(
        self,
        application: str,
        endpoint: str,
        secret: str | None = None,
        grace_period: timedelta = limits.DEFAULT_GRACE,
    ) -> str:
        """Replace the signing secret, and return the new one as :meth:`get_secret` does.

        ``secret``: ``whsec_…`` or ``whsk_…``; by default one is generated. For ``grace_period`` (up to 7 days) messages
        are signed with the replaced secret too. Raises ``RotationLimitError`` if ten replaced secrets are still valid,
        ``NotFoundError`` and ``ValidationError``.
        """
        return await self._secrets.rotate(application, endpoint, secret, grace_period)

    async def get_headers(self, application: str, endpoint: str) -> EndpointHeaders:
        """The endpoint's own headers; values that are secret (``authorization`` and the like) are left out."""
        return await self._headers.get(application, endpoint)

    async def set_headers(self, application: str, endpoint: str, headers: Mapping[str, str]) -> None:
        """Replace all own headers of the endpoint; they are sent from the next attempt.

        Raises ``NotFoundError``, and ``ValidationError`` for a header that must not be set or cannot be sent.
        """
        await self._headers.set(application, endpoint, headers)

    async def patch_headers(self, application: str, endpoint: str, changes: Mapping[str, str | None]) -> None:
        """Set some own headers of the endpoint, and remove those with the value ``None``; the others stay.

        Names that differ only in case are one header. Raises like :meth:`set_headers`.
        """
        await self._headers.patch(application, endpoint, changes)

    async def send_example(
        self,
        application: str,
        endpoint: str | None,
        event_type: str,
        *,
        example_index: int = 0,
        payload: object = None,
    ) -> Message:
        """Send an example of an event type to this endpoint alone, at once and only once.

        It ignores the endpoint's filters, and is sent to a disabled endpoint too. Without an endpoint it is a message
        like any other, for all endpoints that match. ``payload`` replaces the example: JSON, or a value that can be
        written as JSON. ``svix.ping`` and ``webhook.ping`` need no registration. For other event types the example is
        one of the ``examples`` in the JSON Schema of version "1". Raises ``ExampleUnavailableError`` if there is none,
        ``NotFoundError`` and ``ValidationError``.
        """
        return await self._actions.send_example(
            application, endpoint, event_type, example_index=example_index, payload=payload
        )

    async def recover(self, application: str, endpoint: str, since: datetime, until: datetime | None = None) -> Task:
        """Send again what failed for this endpoint in [``since``, ``until``), as a durable background task.

        Deliveries that failed permanently in that span (retries exhausted, aborted by the receiver, or endpoint
        disabled) get a full run through the retry schedule, whenever their message was created. Deliveries that failed
        an attempt in that span and wait for a retry are retried at once, and go on in the schedule from there. What was
        delivered or cancelled since is not sent. The attempts count in the failure window like any other.
        ``since`` is at most ``delivery.recover_max_age`` ago, ``until`` is now by default. Raises ``NotFoundError``
        and ``ValidationError``.
        """
        return await self._actions.recover(application, endpoint, since, until)

    async def replay_missing(
        self, application: str, endpoint: str, since: datetime, until: datetime | None = None
    ) -> Task:
        """Send the messages of [``since``, ``until``) that match this endpoint and never had a delivery to it.

        A durable background task with the bounds of :meth:`recover`. Raises ``NotFoundError`` and ``ValidationError``.
        """
        return await self._actions.replay_missing(application, endpoint, since, until)

    async def bulk_replay(
        self,
        application: str,
        endpoint: str,
        since: datetime,
        until: datetime | None = None,
        *,
        event_types: Collection[str] | None = None,
        channel: str | None = None,
        tag: str | None = None,
        status: AttemptStatus | int | None = None,
        status_code_class: int | None = None,
    ) -> Task:
        """Resend the messages of [``since``, ``until``) that were sent to this endpoint, successful ones included.

        ``status`` is that of the delivery; ``status_code_class`` (0, 100, … 500) is that of its latest attempt. Pending
        deliveries are left alone. A durable background task with the bounds of :meth:`recover`. Raises
        ``NotFoundError`` and ``ValidationError``.
        """
        where = DeliveryFilter(
            status=None if status is None else values.member("status", status, AttemptStatus),
            **filters.message_choice(event_types, channel, tag),
            status_code_class=filters.status_code_class(status_code_class),
            with_content=False,
            replayable=True,
        )
        return await self._actions.bulk_replay(application, endpoint, since, until, where)

    async def get_transformation(self, application: str, endpoint: str) -> EndpointTransformation:
        """The consumer's own script for an endpoint. Raises ``NotFoundError``."""
        return await self._scripts.get(application, endpoint)

    async def patch_transformation(
        self,
        application: str,
        endpoint: str,
        *,
        code: str | UnsetType | None = UNSET,
        enabled: bool | UnsetType = UNSET,
        variables: Mapping[str, str] | UnsetType | None = UNSET,
    ) -> EndpointTransformation:
        """Change the consumer's own script for an endpoint; ``None`` removes it. It applies from the next attempt.

        ``code``: JavaScript of 10 to 51200 characters that declares ``handler(webhook)``.
        Raises ``NotFoundError``, ``ValidationError``, and ``ConfigError`` if scripts are not allowed.
        """
        return await self._scripts.patch(application, endpoint, code=code, enabled=enabled, variables=variables)

    async def simulate_transformation(
        self,
        application: str,
        endpoint: str,
        *,
        code: str,
        payload: Payload,
        event_type: str,
        variables: Mapping[str, str] | None = None,
    ) -> TransformationTrial:
        """Run a script on a webhook to this endpoint, and return the result; nothing is stored or sent.

        ``variables``: those of the endpoint by default. Raises as :meth:`patch_transformation`.
        """
        return await self._scripts.simulate(
            application, endpoint, code=code, payload=payload, event_type=event_type, variables=variables
        )

    async def try_authentication(self, application: str, endpoint: str) -> AuthenticationTrial:
        """Test how requests to an endpoint are authenticated.

        If they carry an access token, a new one is requested. Then an example (``webhook.ping``) is sent, whose attempt
        shows the receiver's response. Raises ``NotFoundError``.
        """
        return await self._actions.try_authentication(application, endpoint)

    async def cancel_pending(self, application: str, endpoint: str, created_before: datetime | None = None) -> int:
        """Cancel the scheduled deliveries of messages created before ``created_before``; returns how many.

        Without ``created_before``, cancel all that are scheduled now. Raises ``NotFoundError`` and ``ValidationError``.
        """
        return await self._actions.cancel_pending(application, endpoint, created_before)

    async def stats(
        self, application: str, endpoint: str, since: datetime | None = None, until: datetime | None = None
    ) -> EndpointStats:
        """How many attempts succeeded and failed in a span of at most 28 days, and what is scheduled now.

        ``until`` is now by default, ``since`` 28 days before it; the span is exact to four milliseconds.
        Raises ``NotFoundError`` and ``ValidationError``.
        """
        return await self._actions.stats(application, endpoint, since, until)

    def _options(self, given: Mapping[str, object]) -> tuple[dict[str, object], dict[str, Any]]:
        """Split into the options with secrets, as given, and the others, in stored form."""
        secret = {name: given[name] for name in SECRET_OPTIONS if name in given}
        others = {name: value for name, value in given.items() if name not in secret}
        return secret, endpoint_options.checked(others, self._services.policy.endpoint_options)

    async def _with_credentials(
        self, before: StoredEndpoint, changes: EndpointChanges, given: Mapping[str, object]
    ) -> EndpointChanges:
        services, options = self._services, changes.options
        if before.encrypted_credentials is None and not any(given.values()):
            return changes
        here = credentials_of(services.cipher, before)
        checked = await checked_credentials(services, given, here)
        options, encrypted = with_credentials(
            services.cipher,
            before.endpoint.id,
            before.endpoint.options if options is UNSET else options,
            here,
            checked,
        )
        return msgspec.structs.replace(changes, options=options, encrypted_credentials=encrypted)

    async def orders(
        self, application: str, endpoint: str, *, after: str | None = None, limit: int = DEFAULT_PAGE
    ) -> Sequence[EndpointOrder]:
        """The state of an endpoint with ``ordering``, for each ordering key with waiting messages.

        Sorted by key; messages without a key come first. ``after``: the key of the last one listed, ``""`` for no key.
        Raises ``NotFoundError`` and ``ValidationError``.
        """
        return await self._orders.list(application, endpoint, after=after, limit=limit)

    async def skip(self, application: str, endpoint: str, message: str) -> None:
        """Skip a message in the order of an endpoint, which is cancelled unless it has failed.

        Raises ``NotFoundError``, also if the message is not in the order.
        """
        await self._orders.skip(application, endpoint, message)

    def _url(self, value: object) -> str:
        policy = self._services.policy
        if self._editor.organization_id in policy.mail_organizations and isinstance(value, str):
            address = mail_address_in(value)
            if address is not None and not policy.sends_mail:
                raise ValidationError("url", "an e-mail address needs a mail server; configure alerts.smtp_host")
            if address is not None:
                return mail_url(mail_address("url", address))
        return endpoint_url("url", value, https_only=self._services.policy.https_only)

    async def _event_types(
        self, value: object, application: Application | None = None, endpoint: str | None = None
    ) -> tuple[str, ...] | None:
        """Check event types: registered ones, or those that the endpoint has already, even if archived since."""
        wanted = names.wanted_event_types("event_types", value)
        if not wanted:
            return wanted
        unknown = await unknown_event_types(self._services.store.event_types, self._editor.organization_id, wanted)
        if unknown and application is not None and endpoint is not None:
            before = await self._services.directory.endpoint(application.id, endpoint)
            own = (before.endpoint.event_types or ()) if before else ()
            unknown = [name for name in unknown if name not in own]
        if unknown:
            raise ValidationError("event_types", f"The following event types don't exist: {', '.join(unknown)}")
        return wanted

    def _with_user_info(self, before: StoredEndpoint, changes: EndpointChanges) -> EndpointChanges:
        """A new URL in stored form: masked, with its password encrypted separately or the stored one kept."""
        if changes.url is UNSET:
            return changes
        shown, user_info, kept = merged("url", changes.url, before.endpoint.url)
        encrypted = UNSET if kept else encrypt_user_info(self._services.cipher, before.endpoint.id, user_info)
        return msgspec.structs.replace(changes, url=shown, encrypted_user_info=encrypted)


def _id(endpoint: Endpoint) -> str:
    return endpoint.id


async def unknown_event_types(store: EventTypeStore, organization_id: str, wanted: Sequence[str]) -> list[str]:
    """Those that are not registered, or archived; and patterns such as ``invoice.*`` that match no event type."""
    exact = [name for name in wanted if not names.is_wildcard(name)]
    unknown = set(await store.unknown(organization_id, exact)) if exact else set()
    for name in wanted:
        if names.is_wildcard(name):
            # "/" follows "." in the order of names, so the span has just the names with this prefix.
            below = Span(low=name[:-1], high=f"{name[:-2]}/", descending=False, limit=1)
            if not await store.list(organization_id, below, include_archived=False, feature_flags=None):
                unknown.add(name)
    return [name for name in wanted if name in unknown]


def endpoint_description(value: object) -> str:
    """Check the description of an endpoint; raises ``ValidationError``."""
    return values.text("description", value, most=MAX_DESCRIPTION)
