"""The database of Convoy, filled as it fills it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from importing.conftest import EngineTarget, counts, notes, taken

from webhook_engine import SyncEngine
from webhook_engine.importing.convoy_database import ConvoyDatabase
from webhook_engine.importing.source import SourceError
from webhook_engine.importing.tables import Tables
from webhook_engine.importing.transfer import Report

NOW = datetime.now(UTC)
TABLES = (Path(__file__).parent / "convoy_tables.sql").read_text()
SECRET = "a-secret-of-25-characters"
KEY = "an encryption key"


@pytest.fixture
def connection(postgresql: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql, autocommit=True) as opened:
        opened.execute(TABLES.encode())
        opened.execute("INSERT INTO convoy.projects VALUES ('P1', 'Shop', 'outgoing')")
        opened.execute(
            "INSERT INTO convoy.event_types (id, name, description, project_id, json_schema)"
            " VALUES ('T1', 'invoice.paid', 'Paid', 'P1', '{\"type\": \"object\"}'), ('T2', '*', '', 'P1', '{}')"
        )
        secrets = [
            {"uid": "S1", "value": SECRET, "expires_at": None, "deleted_at": None},
            {"uid": "S2", "value": SECRET[::-1], "expires_at": (NOW + timedelta(hours=1)).isoformat()},
        ]
        for uid, owner, status in (("E1", "acme", "active"), ("E2", "acme", "paused"), ("E3", None, "active")):
            opened.execute(
                "INSERT INTO convoy.endpoints (id, name, status, owner_id, url, description, rate_limit,"
                " rate_limit_duration, project_id, authentication_type, authentication_type_api_key_header_name,"
                " authentication_type_api_key_header_value, secrets)"
                " VALUES (%s, 'Name', %s, %s, 'https://example.com/', 'Words', 120, 60, 'P1', 'api_key', 'X-Key',"
                " 'k', %s)",
                [uid, status, owner, json.dumps(secrets)],
            )
            opened.execute(
                "INSERT INTO convoy.subscriptions (id, name, type, project_id, endpoint_id, filter_config_event_types)"
                " VALUES (%s, 'Sub', 'api', 'P1', %s, %s)",
                [f"S-{uid}", uid, ["invoice.paid"] if uid == "E1" else ["*"]],
            )
        for uid, endpoints in (("V1", ["E1", "E2"]), ("V2", ["E1", "E3"])):
            opened.execute(
                "INSERT INTO convoy.events (id, event_type, project_id, raw, data)"
                " VALUES (%s, 'invoice.paid', 'P1', %s, '')",
                [uid, '{"id": 1}'],
            )
            for endpoint in endpoints:
                opened.execute("INSERT INTO convoy.events_endpoints VALUES (%s, %s)", [uid, endpoint])
        yield opened


def read(url: str, target: EngineTarget, project: str | None = None, key: str | None = None, **more: Any) -> Report:
    with Tables("Convoy", url, page=2) as tables:
        return taken(ConvoyDatabase(tables, project, key), target, **more)


def test_everything_comes_along(
    postgresql: str, connection: psycopg.Connection, engine: SyncEngine, target: EngineTarget
) -> None:
    since = NOW - timedelta(days=1)
    planned = read(postgresql, target, dry_run=True, messages_since=since)
    assert engine.applications.list().data == []
    report = read(postgresql, target, messages_since=since)
    assert counts(report) == {
        "event type": {"created": 1},
        "application": {"created": 2},
        "endpoint": {"created": 3},
        "message": {"created": 3},
    }
    assert (counts(planned), notes(planned)) == (counts(report), notes(report))
    assert {app.uid: app.name for app in engine.applications.iterate()} == {"acme": "acme", "P1": "Shop"}
    endpoint = engine.endpoints.get("acme", "E1")
    assert (endpoint.description, endpoint.throttle_rate, endpoint.disabled) == ("Name: Words", 2, False)
    assert endpoint.event_types == ("invoice.paid",)
    assert engine.endpoints.get("acme", "E2").disabled
    assert engine.endpoints.get("P1", "E3").event_types is None
    assert engine.endpoints.get_secret("acme", "E1") == "whsec_" + base64.b64encode(SECRET.encode()).decode()
    assert engine.endpoints.get_headers("acme", "E1").headers == {"X-Key": "k"}
    assert engine.event_types.get("invoice.paid").schemas == {"1": {"type": "object"}}
    assert engine.messages.get("acme", "V1").payload == engine.messages.get("P1", "V2").payload == b'{"id": 1}'
    again = read(postgresql, target, messages_since=since)
    assert {status for found in counts(again).values() for status in found} == {"same"}


def test_encrypted_secrets_need_the_key(
    postgresql: str, connection: psycopg.Connection, engine: SyncEngine, target: EngineTarget
) -> None:
    connection.execute(
        "UPDATE convoy.endpoints SET is_encrypted = true, secrets_cipher = pgp_sym_encrypt(secrets::text, %(key)s),"
        " secrets = '[]', authentication_type_api_key_header_value = '',"
        " authentication_type_api_key_header_value_cipher ="
        " pgp_sym_encrypt(authentication_type_api_key_header_value, %(key)s)",
        {"key": KEY},
    )
    with pytest.raises(SourceError, match="WEBHOOK_ENGINE_IMPORT_MAIN_SECRET"):
        read(postgresql, target)
    with pytest.raises(SourceError, match=r"cannot be read .*[Ww]rong key"):
        read(postgresql, target, key="other")
    assert read(postgresql, target, key=KEY).complete
    assert engine.endpoints.get_secret("acme", "E1") == "whsec_" + base64.b64encode(SECRET.encode()).decode()
    assert engine.endpoints.get_headers("acme", "E1").headers == {"X-Key": "k"}


def test_which_project_is_said(postgresql: str, connection: psycopg.Connection, target: EngineTarget) -> None:
    with pytest.raises(SourceError, match=r"no such project; there are: P1 \(Shop\)"):
        read(postgresql, target, "P9")
    connection.execute("INSERT INTO convoy.projects VALUES ('P2', 'In', 'incoming')")
    with pytest.raises(SourceError, match=r"choose one with --project: P1 \(Shop\), P2 \(In\)"):
        read(postgresql, target)
    with pytest.raises(SourceError, match="an incoming one"):
        read(postgresql, target, "In")
    assert read(postgresql, target, "Shop").complete


def test_a_database_of_another_product_is_named(postgresql: str, target: EngineTarget) -> None:
    with psycopg.connect(postgresql) as connection:
        connection.execute("DROP SCHEMA IF EXISTS convoy CASCADE")
    with pytest.raises(SourceError, match=r"has no table convoy\.projects; is it that of a Convoy server"):
        read(postgresql, target)


def test_a_database_that_is_not_reached_is_named_without_its_password(target: EngineTarget) -> None:
    for url, text in (
        ("postgresql://user:hidden@127.0.0.1:1/db", "no connection to the database 127.0.0.1:1/db"),
        ("postgresql://user:hid%00den@127.0.0.1:1/db", "no connection to the database"),
        ("postgresql://user:hidden@127.0.0.1:port/db", "no connection to the database"),
        ("mysql://user:hidden@127.0.0.1/db", "must begin with postgresql://"),
    ):
        with pytest.raises(SourceError, match=text) as caught:
            read(url, target)
        assert "hid" not in str(caught.value)
