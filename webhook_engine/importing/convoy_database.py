"""Reads the PostgreSQL database of Convoy (schema ``convoy``)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from webhook_engine.importing.convoy_records import (
    application,
    endpoint,
    event_type,
    messages,
    owner_uid,
    project_notes,
    require_outgoing,
)
from webhook_engine.importing.source import Item, SourceError
from webhook_engine.importing.tables import Row, Tables

__all__ = ["ConvoyDatabase"]

_PROJECTS = """
SELECT to_jsonb(found) FROM convoy.projects AS found WHERE deleted_at IS NULL ORDER BY id LIMIT 20
"""
_EVENT_TYPES = """
SELECT to_jsonb(found) FROM convoy.event_types AS found
WHERE project_id = %(project)s AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_ENDPOINTS = """
SELECT to_jsonb(found) FROM convoy.endpoints AS found
WHERE project_id = %(project)s AND deleted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_DECRYPTED = """
SELECT jsonb_build_object(
    'secrets', pgp_sym_decrypt(secrets_cipher::bytea, %(key)s),
    'header', pgp_sym_decrypt(authentication_type_api_key_header_value_cipher::bytea, %(key)s))
FROM convoy.endpoints WHERE id = %(endpoint)s
"""
_SUBSCRIPTIONS = """
SELECT to_jsonb(found) FROM convoy.subscriptions AS found
WHERE endpoint_id = %(endpoint)s AND deleted_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(page)s
"""
_EVENTS = """
SELECT jsonb_build_object(
    'id', id, 'event_type', event_type, 'created_at', created_at,
    'data', encode(coalesce(nullif(convert_to(raw, 'UTF8'), ''::bytea), data), 'base64'),
    'endpoints', (SELECT jsonb_agg(endpoint_id) FROM convoy.events_endpoints WHERE event_id = found.id))
FROM convoy.events AS found
WHERE project_id = %(project)s AND deleted_at IS NULL AND created_at >= %(since)s AND id > %(after)s
ORDER BY id LIMIT %(page)s
"""


class ConvoyDatabase:
    """One project; ``project`` is its id or name, and may be ``None`` if there is only one."""

    def __init__(self, tables: Tables, project: str | None = None, encryption_key: str | None = None) -> None:
        self.name = f"Convoy database {tables.place}"
        self._tables = tables
        self._project = project
        self._key = encryption_key

    def read(self, messages_since: datetime | None) -> Iterator[Item]:
        """See :class:`~webhook_engine.importing.source.Source`."""
        tables = self._tables
        tables.require("convoy.projects", "convoy.endpoints", "convoy.subscriptions")
        project = self._chosen()
        project_id = str(project["id"])
        require_outgoing(project)
        yield from project_notes(project)
        if tables.one("SELECT to_regclass('convoy.event_types')") is not None:
            for row in tables.pages(_EVENT_TYPES, project=project_id):
                yield from event_type(row)
        made: set[str] = set()
        owners: dict[str, str] = {}
        for row in tables.pages(_ENDPOINTS, project=project_id):
            owner = owners[row["id"]] = owner_uid(row, project_id)
            if owner not in made:
                made.add(owner)
                yield application(row, project, project_id)
            subscriptions = list(tables.pages(_SUBSCRIPTIONS, endpoint=row["id"]))
            yield from endpoint(self._decrypted(row), subscriptions, project_id)
        if messages_since is not None:
            tables.require("convoy.events", "convoy.events_endpoints")
            for row in tables.pages(_EVENTS, project=project_id, since=messages_since, large=True):
                yield from messages(row, owners, b64decode(row["data"] or ""))

    def _chosen(self) -> Row:
        found = self._tables.rows(_PROJECTS)
        listed = ", ".join(f"{row['id']} ({row['name']})" for row in found) or "none"
        chosen = [row for row in found if self._project is None or self._project in (row["id"], row["name"])]
        if len(chosen) == 1:
            return chosen[0]
        if self._project is None and found:
            raise SourceError(f"the database has several projects; choose one with --project: {listed}")
        raise SourceError(f"--project {self._project}: the database has no such project; there are: {listed}")

    def _decrypted(self, row: Row) -> Mapping[str, Any]:
        """The endpoint with its encrypted columns decrypted by the database's own function."""
        if not row.get("is_encrypted"):
            return row
        if self._key is None:
            raise SourceError(
                "the secrets in the database are encrypted; give the encryption key of Convoy in "
                "WEBHOOK_ENGINE_IMPORT_MAIN_SECRET or with --main-secret, or read its API instead"
            )
        found = self._tables.rows(_DECRYPTED, endpoint=row["id"], key=self._key)[0]
        return {
            **row,
            "secrets": msgspec.json.decode(found["secrets"] or "[]"),
            "authentication_type_api_key_header_value": found["header"],
        }
