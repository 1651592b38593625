"""Reads the PostgreSQL database of a Svix server: all that its API shows, and what it hides."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from webhook_engine.clock import from_datetime
from webhook_engine.ids import id_bounds
from webhook_engine.importing.conversion import as_time
from webhook_engine.importing.source import Item, Note, SourceError
from webhook_engine.importing.svix_records import (
    SvixApplication,
    SvixEndpoint,
    SvixEventType,
    application,
    endpoint,
    event_type,
)
from webhook_engine.importing.svix_secrets import SvixSecrets
from webhook_engine.importing.tables import Row, Tables
from webhook_engine.resources.imported import ImportedKey, ImportedMessage

__all__ = ["SvixDatabase"]

OPERATIONAL = "org_00000000000SvixManagement00"
"""The organization that holds the operational webhooks."""

_ORGANIZATIONS = """
SELECT jsonb_build_object('id', org_id)
FROM (SELECT org_id FROM application UNION SELECT org_id FROM eventtype) AS found
WHERE org_id <> %(operational)s ORDER BY org_id LIMIT 20
"""
_EVENT_TYPES = """
SELECT to_jsonb(found) FROM eventtype AS found
WHERE org_id = %(organization)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_APPLICATIONS = """
SELECT to_jsonb(found) || jsonb_build_object('metadata', metadata.data)
FROM application AS found LEFT JOIN applicationmetadata AS metadata ON metadata.id = found.id
WHERE found.org_id = %(organization)s AND NOT found.deleted AND found.id > %(after)s ORDER BY found.id LIMIT %(page)s
"""
_ENDPOINTS = """
SELECT to_jsonb(found) || jsonb_build_object('metadata', metadata.data, 'key', encode(found.key, 'base64'))
FROM endpoint AS found LEFT JOIN endpointmetadata AS metadata ON metadata.id = found.id
WHERE found.app_id = %(application)s AND NOT found.deleted AND found.id > %(after)s ORDER BY found.id LIMIT %(page)s
"""
_MESSAGES = """
SELECT jsonb_build_object(
    'id', found.id, 'event_type', found.event_type, 'uid', found.uid, 'channels', found.channels,
    'payload', encode(coalesce(content.payload, convert_to(found.payload::text, 'UTF8')), 'base64'))
FROM message AS found LEFT JOIN messagecontent AS content ON content.id = found.id
WHERE found.app_id = %(application)s AND found.id > %(after)s ORDER BY found.id LIMIT %(page)s
"""


class SvixDatabase:
    """The applications of one organization; ``organization`` may be ``None`` if there is only one."""

    def __init__(self, tables: Tables, organization: str | None = None, secrets: SvixSecrets | None = None) -> None:
        self.name = f"Svix database {tables.place}"
        self._tables = tables
        self._organization = organization
        self._secrets = secrets or SvixSecrets()

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """See :class:`~webhook_engine.importing.source.Source`."""
        tables = self._tables
        tables.require("application", "applicationmetadata", "endpoint", "endpointmetadata", "eventtype")
        organization = self._chosen()
        for row in tables.pages(_EVENT_TYPES, organization=organization):
            yield event_type(
                SvixEventType(
                    name=row["name"],
                    description=row["description"],
                    archived=row["deleted"],
                    deprecated=row.get("deprecated") or False,
                    schemas=row["schemas"],
                    feature_flag=row.get("feature_flag"),
                )
            )
            if row.get("retry_schedule"):
                yield Note(
                    "event type has a retry schedule of its own; delivery.retry_schedule is for all", row["name"]
                )
        for row in tables.pages(_APPLICATIONS, organization=organization):
            yield application(_as(SvixApplication, row))
            yield from self._endpoints(row["id"])
            if messages_since is not None:
                yield from self._messages(row["id"], messages_since)

    def _chosen(self) -> str:
        found = [row["id"] for row in self._tables.rows(_ORGANIZATIONS, operational=OPERATIONAL)]
        if self._organization is not None:
            if self._organization not in found:
                raise SourceError(
                    f"--from-organization {self._organization}: the database has nothing of it; there are: "
                    f"{', '.join(found) or 'none'}"
                )
            return self._organization
        if len(found) != 1:
            raise SourceError(
                f"the database has {'several organizations' if found else 'no organization'}; choose one with "
                f"--from-organization: {', '.join(found)}"
                if found
                else "the database has no applications and no event types: there is nothing to take over"
            )
        return str(found[0])

    def _endpoints(self, application_id: str) -> Iterator[Item]:
        for row in self._tables.pages(_ENDPOINTS, application=application_id):
            yield from endpoint(
                _as(SvixEndpoint, {**row, "eventTypes": row["event_types_ids"]}),
                application_id,
                secret=self._secrets.read(b64decode(row["key"])),
                old_keys=self._old_keys(row["old_keys"]),
                headers=row.get("headers") or {},
            )
            if row.get("retry_schedule"):
                yield Note("endpoint has a retry schedule of its own; delivery.retry_schedule is for all", row["id"])

    def _old_keys(self, stored: list[dict[str, Any]] | None) -> tuple[ImportedKey, ...]:
        """The old keys, newest first. The first versions stored them as ``whsec_…``."""
        found = []
        for one in stored or ():
            text, expires_at = one["signingKey"], as_time(one["expiration"])
            if expires_at is not None:
                secret = text if text.startswith("whsec_") else self._secrets.read(b64decode(text))
                found.append(ImportedKey(secret=secret, expires_at=expires_at))
        return tuple(sorted(found, key=lambda one: one.expires_at, reverse=True))

    def _messages(self, application_id: str, since: datetime) -> Iterator[Item]:
        self._tables.require("message", "messagecontent")
        low, _ = id_bounds("msg_", from_datetime(since))
        for row in self._tables.pages(_MESSAGES, application=application_id, after=low, large=True):
            if row["payload"] is None:
                yield Note("message has no payload any more, and is left out", row["id"])
                continue
            yield ImportedMessage(
                application=application_id,
                id=row["id"],
                event_type=row["event_type"],
                payload=b64decode(row["payload"]),
                event_id=row["uid"],
                channels=tuple(row["channels"]) if row["channels"] else None,
            )


def _as(kind: type[Any], row: Row) -> Any:
    """A record of the API from a row, whose columns have the same names in snake_case."""
    values = {field.name: row.get(field.name) for field in msgspec.structs.fields(kind)}
    values["event_types"] = row.get("eventTypes")
    values["created_at"] = as_time(row["created_at"])
    return kind(
        **{name: value for name, value in values.items() if value is not None and name in kind.__struct_fields__}
    )
