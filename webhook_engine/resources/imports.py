"""Importing the records of another server with their ids, secrets and dates. An import may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from webhook_engine.clock import from_datetime, microseconds, to_datetime
from webhook_engine.errors import ConflictError, NotFoundError, SecretsUnreadableError, ValidationError
from webhook_engine.events import EndpointUpdatedEvent
from webhook_engine.ids import is_id, timestamp_of
from webhook_engine.model import Application, Endpoint, EndpointOptions, EventType, OldKey
from webhook_engine.resources import json_schema
from webhook_engine.resources.applications import Applications, add_application, application_name
from webhook_engine.resources.endpoint_credentials import (
    SECRET_OPTIONS,
    checked_credentials,
    credentials_of,
    with_credentials,
)
from webhook_engine.resources.endpoint_editor import EndpointEdit, EndpointEditor
from webhook_engine.resources.endpoint_secrets import signing_key
from webhook_engine.resources.endpoints import endpoint_description, unknown_event_types
from webhook_engine.resources.event_types import EventTypes
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedBatch,
    ImportedEndpoint,
    ImportedEventType,
    ImportedKey,
    ImportedMessage,
    ImportOutcome,
    ImportStatus,
    Kind,
)
from webhook_engine.resources.rotation import MAX_OLD_KEYS
from webhook_engine.resources.services import Services
from webhook_engine.rules import documents, endpoint_options, limits, names, values
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules.message import MESSAGE_PREFIX, MessageDraft
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.rules.user_info import merged
from webhook_engine.secrets.signing import SigningKey
from webhook_engine.shielded import shielded
from webhook_engine.store.endpoint_encryption import (
    decrypt_headers,
    decrypt_secret,
    decrypt_user_info,
    encrypt_headers,
    encrypt_secret,
    encrypt_user_info,
)
from webhook_engine.store.records import AddressedMessage, EndpointChanges, StoredEndpoint

__all__ = ["DISABLED_THERE", "Imports"]

DISABLED_THERE = "was disabled where it was imported from"
AHEAD = microseconds(timedelta(minutes=1))
"""How far the clock of another server may be ahead, in microseconds."""


class Imports:
    """Imports event types, applications, endpoints and messages of another server into an organization."""

    def __init__(self, services: Services, organization_id: str) -> None:
        self._services = services
        self._organization_id = organization_id
        self._event_types = EventTypes(services, organization_id)
        self._applications = Applications(services, organization_id)
        self._editor = EndpointEditor(services, organization_id)

    async def take(
        self, batch: ImportedBatch, *, dry_run: bool = False, update: bool = False
    ) -> Sequence[ImportOutcome]:
        """Import records that do not exist yet, each on its own; returns an outcome for each, in the order given.

        Existing records are left unchanged, or with ``update`` made equal to the source. With ``dry_run`` nothing is
        changed, and the outcomes say what would happen; applications and event types of an earlier batch need not exist
        then. Messages are stored but not sent; :meth:`Endpoints.replay_missing` can send them. Raises
        ``StoreUnavailableError``; what was imported before that stays, and the batch can be repeated.
        """
        if not isinstance(batch, ImportedBatch):
            raise ValidationError("batch", f"must be an ImportedBatch, not {type(batch).__name__}")
        dry, over = values.boolean("dry_run", dry_run), values.boolean("update", update)
        outcomes = [
            await _outcome(Kind.EVENT_TYPE, one.name, self._event_type(one, dry, over)) for one in batch.event_types
        ]
        places: dict[str, str | None] = {}
        for one in batch.applications:
            key = one.id or one.uid or ""
            outcome = await _outcome(Kind.APPLICATION, key, self._application(one, dry, over))
            places[key] = None if outcome.status is ImportStatus.REFUSED else outcome.id or key
            outcomes.append(outcome)
        outcomes += [
            await _outcome(Kind.ENDPOINT, one.id or one.uid or "", self._endpoint(one, places, dry, over))
            for one in batch.endpoints
        ]
        return [*outcomes, *await self._messages(batch.messages, places, dry)]

    async def _event_type(self, given: ImportedEventType, dry: bool, over: bool) -> ImportOutcome:
        name = names.name("name", given.name)
        wanted: dict[str, object] = {
            "description": values.event_type_description("description", given.description),
            "archived": values.boolean("archived", given.archived),
            "deprecated": values.boolean("deprecated", given.deprecated),
            "schemas": await asyncio.to_thread(json_schema.checked, "schemas", given.schemas),
            "feature_flags": names.feature_flags("feature_flags", given.feature_flags),
            "group_name": names.optional_name("group_name", given.group_name),
        }
        found = await self._services.store.event_types.get(self._organization_id, name)
        if found is None:
            if not dry:
                await self._event_types.create(name=name, **wanted)  # type: ignore[arg-type]
            return _made(Kind.EVENT_TYPE, name, name)
        differs = () if given.only_named else _differing(found, wanted)
        if differs and over and not dry:
            await self._event_types.update(name, **wanted)  # type: ignore[arg-type]
        return _met(Kind.EVENT_TYPE, name, name, differs, over)

    async def _application(self, given: ImportedApplication, dry: bool, over: bool) -> ImportOutcome:
        now = self._services.clock.now()
        own_id = None if given.id is None else _id("id", given.id, "app_", now)
        wanted: dict[str, object] = {
            "uid": names.uid("uid", given.uid, "app_"),
            "name": application_name(given.name),
            "throttle_rate": limits.throttle_rate("throttle_rate", given.throttle_rate),
            "metadata": documents.metadata("metadata", given.metadata),
        }
        key = own_id or given.uid
        if key is None:
            raise ValidationError("id", "must be given, or a uid: it could not be found again otherwise")
        found = await self._found(own_id) or await self._found(given.uid)
        if found is not None:
            differs = _differing(found, wanted)
            if differs and over and not dry:
                await self._applications.update(found.id, **wanted)  # type: ignore[arg-type]
            return _met(Kind.APPLICATION, key, found.id, differs, over)
        application = Application(
            id=own_id or self._services.ids.new("app_", now),
            organization_id=self._organization_id,
            created_at=to_datetime(_created("created_at", given.created_at, own_id, now)),
            updated_at=to_datetime(now),
            **wanted,  # type: ignore[arg-type]
        )
        if not dry:
            await shielded(add_application(self._services, application))
        return _made(Kind.APPLICATION, key, own_id if dry else application.id)

    async def _endpoint(
        self, given: ImportedEndpoint, places: Mapping[str, str | None], dry: bool, over: bool
    ) -> ImportOutcome:
        services, now = self._services, self._services.clock.now()
        wanted = self._checked(given, now)
        application = await self._owner(given.application, places, dry)
        if application is None:
            return _made(Kind.ENDPOINT, wanted.key, wanted.id)
        if not dry:
            await self._require_registered(wanted.fields.event_types)
        store = services.store.endpoints
        found = None if wanted.id is None else await store.get(application.id, wanted.id)
        if found is None and wanted.uid is not None:
            found = await store.get(application.id, wanted.uid)
        secret = {name: given.options[name] for name in SECRET_OPTIONS if name in given.options}
        if secret:
            here = {} if found is None else credentials_of(services.cipher, found)
            checked = await checked_credentials(services, secret, here)
            wanted = msgspec.structs.replace(wanted, credentials=checked)
        if found is not None:
            differs = self._differing(found, wanted, now)
            if differs and over and not dry:
                async with self._editor.edit(application, found.endpoint.id) as edit:
                    await self._update(edit, wanted, now)
            return _met(Kind.ENDPOINT, wanted.key, found.endpoint.id, differs, over)
        if wanted.id is not None and (other := await store.load(wanted.id)) is not None:
            problem = "was deleted here" if other.deleted else "belongs to another application here"
            raise ValidationError("id", f"the endpoint with this id {problem}")
        endpoint_id = wanted.id or services.ids.new("ep_", now)
        if not dry:
            await self._editor.add(self._stored(application, endpoint_id, given, wanted, now))
        return _made(Kind.ENDPOINT, wanted.key, wanted.id if dry else endpoint_id)

    def _checked(self, given: ImportedEndpoint, now: int) -> _Wanted:
        """Check a record and convert it to stored form; raises ``ValidationError``."""
        own_id = None if given.id is None else _id("id", given.id, "ep_", now)
        uid = names.uid("uid", given.uid, "ep_")
        key = own_id or uid
        if key is None:
            raise ValidationError("id", "must be given, or a uid: it could not be found again otherwise")
        normal = endpoint_url("url", given.url, https_only=self._services.policy.https_only)
        url, user_info, _ = merged("url", normal, None)
        return _Wanted(
            key=key,
            id=own_id,
            uid=uid,
            fields=EndpointChanges(
                uid=uid,
                url=url,
                description=endpoint_description(given.description),
                event_types=names.wanted_event_types("event_types", given.event_types),
                channels=names.channels("channels", given.channels),
                throttle_rate=limits.throttle_rate("throttle_rate", given.throttle_rate),
                version=limits.version("version", given.version),
                metadata=documents.metadata("metadata", given.metadata),
            ),
            user_info=user_info,
            disabled=values.boolean("disabled", given.disabled),
            secret=None if given.secret is None else SigningKey.parse(given.secret).secret,
            old_keys=None if given.old_keys is None else _old_keys(given.old_keys, now),
            headers=header_rules.checked("headers", given.headers),
            options=endpoint_options.checked(
                {name: value for name, value in given.options.items() if name not in SECRET_OPTIONS},
                self._services.policy.endpoint_options,
            ),
            hidden={name.lower() for name in given.hidden_headers},
        )

    async def _require_registered(self, event_types: object) -> None:
        """Raise ``ValidationError`` for unregistered event types; archived ones may have been chosen before that."""
        if not isinstance(event_types, tuple) or not event_types:
            return
        store = self._services.store.event_types
        unknown = await unknown_event_types(store, self._organization_id, event_types)
        missing = [name for name in unknown if await store.get(self._organization_id, name) is None]
        if missing:
            raise ValidationError("event_types", f"these are not registered here: {', '.join(missing)}")

    def _differing(self, found: StoredEndpoint, wanted: _Wanted, now: int) -> tuple[str, ...]:
        cipher, endpoint = self._services.cipher, found.endpoint
        differs = list(_differing(endpoint, msgspec.structs.asdict(_only_fields(wanted.fields))))
        differs += [name for name, value in wanted.options.items() if getattr(endpoint, name) != value]
        if endpoint.disabled != wanted.disabled:
            differs.append("disabled")
        try:
            if (
                decrypt_user_info(cipher, endpoint.id, found.encrypted_user_info) != wanted.user_info
                and "url" not in differs
            ):
                differs.append("url")
            if wanted.secret is not None and decrypt_secret(cipher, endpoint.id, found.encrypted_key) != wanted.secret:
                differs.append("secret")
            valid = {(decrypt_secret(cipher, endpoint.id, one.encrypted), one.expires_at) for one in _valid(found, now)}
            if wanted.old_keys is not None and valid != set(wanted.old_keys):
                differs.append("old_keys")
            if _without(decrypt_headers(cipher, endpoint.id, found.encrypted_headers), wanted.hidden) != wanted.headers:
                differs.append("headers")
            if wanted.credentials:
                here = credentials_of(cipher, found)
                differs += [name for name, value in wanted.credentials.items() if here.get(name) != value]
        except SecretsUnreadableError:
            differs.append("secret")
        return tuple(differs)

    async def _update(self, edit: EndpointEdit, wanted: _Wanted, now: int) -> None:
        """Make an endpoint equal to the source; what the source does not give stays."""
        endpoint, cipher = edit.before.endpoint, self._services.cipher
        headers = wanted.headers
        if wanted.hidden:
            here = decrypt_headers(cipher, endpoint.id, edit.before.encrypted_headers)
            headers = {**{name: value for name, value in here.items() if name.lower() in wanted.hidden}, **headers}
        changes = msgspec.structs.replace(
            wanted.fields,
            encrypted_user_info=encrypt_user_info(cipher, endpoint.id, wanted.user_info),
            encrypted_headers=encrypt_headers(cipher, endpoint.id, headers),
        )
        if wanted.options:
            changes = msgspec.structs.replace(
                changes, options=msgspec.structs.replace(endpoint.options, **wanted.options)
            )
        if wanted.credentials:
            options, encrypted = with_credentials(
                cipher,
                endpoint.id,
                msgspec.structs.replace(endpoint.options, **wanted.options),
                credentials_of(cipher, edit.before),
                wanted.credentials,
            )
            changes = msgspec.structs.replace(changes, options=options, encrypted_credentials=encrypted)
        if wanted.secret is not None:
            changes = msgspec.structs.replace(changes, encrypted_key=encrypt_secret(cipher, endpoint.id, wanted.secret))
        if wanted.old_keys is not None:
            changes = msgspec.structs.replace(changes, old_keys=self._encrypted(endpoint.id, wanted.old_keys))
        if endpoint.disabled == wanted.disabled:
            await edit.change(changes, EndpointUpdatedEvent)
        elif wanted.disabled:
            await edit.disable(changes)
        else:
            await edit.enable(changes)

    def _stored(
        self, application: Application, endpoint_id: str, given: ImportedEndpoint, wanted: _Wanted, now: int
    ) -> StoredEndpoint:
        services = self._services
        created = _created("created_at", given.created_at, wanted.id, now)
        options, credentials = with_credentials(
            services.cipher, endpoint_id, EndpointOptions(**wanted.options), {}, wanted.credentials
        )
        return StoredEndpoint(
            endpoint=Endpoint(
                id=endpoint_id,
                application_id=application.id,
                organization_id=self._organization_id,
                disabled=wanted.disabled,
                disabled_at=to_datetime(now) if wanted.disabled else None,
                disabled_reason=DISABLED_THERE if wanted.disabled else None,
                first_failure_at=None,
                created_at=to_datetime(created),
                updated_at=to_datetime(now),
                **msgspec.structs.asdict(_only_fields(wanted.fields)),
                **msgspec.structs.asdict(options),
            ),
            encrypted_key=encrypt_secret(
                services.cipher, endpoint_id, wanted.secret or signing_key(None, services.policy).secret
            ),
            old_keys=self._encrypted(endpoint_id, wanted.old_keys or ()),
            encrypted_headers=encrypt_headers(services.cipher, endpoint_id, wanted.headers),
            encrypted_user_info=encrypt_user_info(services.cipher, endpoint_id, wanted.user_info),
            encrypted_credentials=credentials,
        )

    def _encrypted(self, endpoint_id: str, old_keys: Sequence[tuple[str, int]]) -> tuple[OldKey, ...]:
        cipher = self._services.cipher
        return tuple(
            OldKey(encrypted=encrypt_secret(cipher, endpoint_id, secret), expires_at=until)
            for secret, until in old_keys
        )

    async def _messages(
        self, given: Sequence[ImportedMessage], places: Mapping[str, str | None], dry: bool
    ) -> list[ImportOutcome]:
        now = self._services.clock.now()
        outcomes: dict[int, ImportOutcome] = {}
        addressed: dict[int, AddressedMessage] = {}
        for place, one in enumerate(given):
            try:
                if message := await self._message(one, places, now, dry):
                    addressed[place] = message
                else:
                    outcomes[place] = _made(Kind.MESSAGE, one.id, one.id)
            except (ValidationError, NotFoundError) as error:
                outcomes[place] = _refused(Kind.MESSAGE, one.id, str(error))
        if dry:
            taken = [one for one in addressed.values() if await self._message_here(one) is not None]
        else:
            taken = list(await shielded(self._services.store.messages.add(list(addressed.values()))))
        for place, message in addressed.items():
            new = message.message.id
            if message in taken:
                outcomes[place] = _met(Kind.MESSAGE, new, await self._message_here(message) or new, (), False)
            else:
                outcomes[place] = _made(Kind.MESSAGE, new, new)
        return [outcomes[place] for place in range(len(given))]

    async def _message(
        self, given: ImportedMessage, places: Mapping[str, str | None], now: int, dry: bool
    ) -> AddressedMessage | None:
        """The message to store; ``None`` in a dry run that would create its application first."""
        message_id = _id("id", given.id, MESSAGE_PREFIX, now)
        application = await self._owner(given.application, places, dry)
        if application is None:
            return None
        draft = MessageDraft(
            given.event_type,
            given.payload,
            given.event_id,
            given.channels,
            given.tags,
            content_type=given.content_type,
        )
        created = min(timestamp_of(message_id), now)
        return AddressedMessage(self._services.flow.intake.message_of_then(application, message_id, created, draft), ())

    async def _message_here(self, addressed: AddressedMessage) -> str | None:
        """The id of the existing message with this id or event id."""
        message, store = addressed.message, self._services.store.messages
        found = await store.get(message.application_id, message.id)
        if found is None and message.event_id is not None:
            found = await store.get(message.application_id, message.event_id)
        return None if found is None else found.id

    async def _owner(self, key: str, places: Mapping[str, str | None], dry: bool) -> Application | None:
        """The application that a record belongs to; ``None`` in a dry run that would create it first."""
        place = places.get(key, key)
        if place is None:
            raise ValidationError("application", f"{key!r} was refused")
        found = await self._found(place)
        if found is None and not dry:
            raise NotFoundError("application", place)
        return found

    async def _found(self, key: str | None) -> Application | None:
        return None if key is None else await self._services.directory.application(self._organization_id, key)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted state of an endpoint: checked, in stored form, but not encrypted yet."""

    key: str
    id: str | None
    uid: str | None
    fields: EndpointChanges
    user_info: str | None
    disabled: bool
    secret: str | None
    old_keys: tuple[tuple[str, int], ...] | None
    headers: dict[str, str]
    options: dict[str, Any]
    credentials: dict[str, dict[str, str] | None] = {}
    """The credentials that the source gives."""
    hidden: set[str]


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an endpoint that are neither secrets nor state."""

    uid: object
    url: object
    description: object
    event_types: object
    channels: object
    throttle_rate: object
    version: object
    metadata: object


def _only_fields(changes: EndpointChanges) -> _Fields:
    return _Fields(**{name: getattr(changes, name) for name in _Fields.__struct_fields__})


async def _outcome(kind: Kind, key: str, work: Awaitable[ImportOutcome]) -> ImportOutcome:
    try:
        return await work
    except ConflictError as error:
        gone = error.field == "id"
        return _refused(
            kind, key, f"the {kind} with this id was deleted here, or is another organization's" if gone else str(error)
        )
    except (ValidationError, NotFoundError) as error:
        return _refused(kind, key, str(error))


def _made(kind: Kind, key: str, here: str | None) -> ImportOutcome:
    return ImportOutcome(kind=kind, key=key, status=ImportStatus.CREATED, id=here)


def _met(kind: Kind, key: str, here: str, differs: tuple[str, ...], over: bool) -> ImportOutcome:
    status = (ImportStatus.UPDATED if over else ImportStatus.DIFFERENT) if differs else ImportStatus.SAME
    return ImportOutcome(kind=kind, key=key, status=status, id=here, differs=differs)


def _refused(kind: Kind, key: str, problem: str) -> ImportOutcome:
    return ImportOutcome(kind=kind, key=key, status=ImportStatus.REFUSED, problem=problem)


def _differing(here: Application | Endpoint | EventType, wanted: Mapping[str, object]) -> tuple[str, ...]:
    """The fields that differ here. The order of names in a filter does not matter."""
    return tuple(name for name, value in wanted.items() if _plain(getattr(here, name)) != _plain(value))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _valid(found: StoredEndpoint, now: int) -> list[OldKey]:
    return [one for one in found.old_keys if one.expires_at > now]


def _without(headers: Mapping[str, str], hidden: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in hidden}


def _old_keys(given: Sequence[ImportedKey], now: int) -> tuple[tuple[str, int], ...]:
    """The keys that still sign, newest first; raises ``ValidationError``."""
    kept = []
    for place, one in enumerate(given):
        try:
            secret = SigningKey.parse(one.secret).secret
        except ValidationError as error:
            raise ValidationError(f"old_keys[{place}].secret", error.problem) from None
        if from_datetime(one.expires_at) > now:
            kept.append((secret, from_datetime(one.expires_at)))
    if len(kept) > MAX_OLD_KEYS:
        raise ValidationError("old_keys", f"must have at most {MAX_OLD_KEYS} that are still valid, not {len(kept)}")
    return tuple(kept)


def _id(field: str, value: object, prefix: str, now: int) -> str:
    """Check that an id has our form and no future timestamp, since new ids must sort after it."""
    if not isinstance(value, str) or not is_id(prefix, value):
        raise ValidationError(field, f"must be {prefix!r} and 27 letters and digits, not {value!r}")
    if timestamp_of(value) > now + AHEAD:
        raise ValidationError(field, "was made in the future; is a clock wrong?")
    return value


def _created(field: str, given: object, own_id: str | None, now: int) -> int:
    made = now if own_id is None else timestamp_of(own_id)
    return min(now, made if given is None else values.instant(field, given))
