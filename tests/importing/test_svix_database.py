"""The database of a Svix server, filled as it fills it."""

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
from importing.test_svix_secrets import encrypted

from webhook_engine import SyncEngine
from webhook_engine.clock import from_datetime
from webhook_engine.ids import IdSource
from webhook_engine.importing.source import SourceError
from webhook_engine.importing.svix_database import SvixDatabase
from webhook_engine.importing.svix_secrets import SvixSecrets
from webhook_engine.importing.tables import Tables
from webhook_engine.importing.transfer import Report

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)
TABLES = (Path(__file__).parent / "svix_tables.sql").read_text()
ORG = "org_2abcdefghijklmnopqrstuvwxyz"


def secret(letter: str) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * 32).decode()


class Filled:
    """A database with two applications, of which one has all there is."""

    def __init__(self, connection: psycopg.Connection) -> None:
        ids = IdSource()
        self.app, self.small, self.ep, self.msg, self.legacy, self.gone = (
            ids.new(prefix, from_datetime(YESTERDAY)) for prefix in ("app_", "app_", "ep_", "msg_", "msg_", "msg_")
        )
        run = connection.execute
        run(TABLES.encode())
        for name, deleted, schemas, flag, deprecated in (
            ("invoice.paid", False, {"1": {"type": "object"}}, None, True),
            ("old", True, None, "beta", False),
        ):
            run(
                "INSERT INTO eventtype VALUES (%s, now(), now(), %s, 'Words', %s, %s, %s, %s, %s)",
                [ids.new("evtype_", 0), ORG, deleted, json.dumps(schemas), name, flag, deprecated],
            )
        run("INSERT INTO application VALUES (%s, %s, now(), %s, 'acme', 'Acme', 7, false)", [self.app, YESTERDAY, ORG])
        run('INSERT INTO applicationmetadata VALUES (%s, now(), now(), \'{"plan": "pro"}\')', [self.app])
        run("INSERT INTO application VALUES (%s, now(), now(), %s, NULL, 'Small', NULL, false)", [self.small, ORG])
        run("INSERT INTO application VALUES ('app_x', now(), now(), %s, NULL, 'Deleted', NULL, true)", [ORG])
        old = [
            {"signingKey": base64.b64encode(encrypted(b"o" * 32, "main")).decode(), "expiration": soon(3)},
            {"signingKey": secret("w"), "expiration": soon(5)},
            {"signingKey": secret("e"), "expiration": soon(-5)},
        ]
        run(
            "INSERT INTO endpoint (id, created_at, updated_at, app_id, key, url, description, event_types_ids, version,"
            " rate_limit, disabled, uid, old_keys, channels, headers, filter)"
            " VALUES (%s, now(), now(), %s, %s, 'https://user:pass@example.com/hook', 'Main', %s, 2, 3, true, 'main',"
            " %s, '[\"b\", \"a\"]', %s, 'amount > 3')",
            [
                self.ep,
                self.app,
                encrypted(b"n" * 32, "main"),
                json.dumps(["old", "invoice.paid"]),
                json.dumps(old),
                json.dumps({"Authorization": "Bearer x", "webhook-own": "1"}),
            ],
        )
        run('INSERT INTO endpointmetadata VALUES (%s, now(), now(), \'{"k": "v"}\')', [self.ep])
        run(
            "INSERT INTO endpoint (id, created_at, updated_at, app_id, key, url, deleted)"
            " VALUES ('ep_gone', now(), now(), %s, %s, 'https://example.com', true)",
            [self.app, b"\x01" + b"g" * 32],
        )
        for message, payload, content in (
            (self.msg, None, b'{"b": 1, "a":2.0}'),
            (self.legacy, '{"id": 1}', None),
            (self.gone, None, None),
        ):
            run(
                "INSERT INTO message VALUES (%s, now(), %s, %s, 'invoice.paid', %s, %s, '[\"a\"]')",
                [message, ORG, self.app, f"uid-{message}", payload],
            )
            if content is not None:
                run("INSERT INTO messagecontent VALUES (%s, now(), %s, now())", [message, content])
        connection.commit()


def soon(hours: int) -> str:
    return (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "123Z" if NOW.microsecond else "Z")


@pytest.fixture
def filled(postgresql: str) -> Iterator[Filled]:
    with psycopg.connect(postgresql) as connection:
        yield Filled(connection)


def read(
    url: str,
    target: EngineTarget,
    organization: str | None = None,
    *,
    main_secret: str | None = "main",
    page: int = 200,
    **more: Any,
) -> Report:
    with Tables("Svix", url, page=page) as tables:
        return taken(SvixDatabase(tables, organization, SvixSecrets(main_secret)), target, **more)


def test_everything_comes_along(postgresql: str, filled: Filled, engine: SyncEngine, target: EngineTarget) -> None:
    since = NOW - timedelta(days=3)
    planned = read(postgresql, target, dry_run=True, messages_since=since)
    assert engine.applications.list().data == []
    report = read(postgresql, target, messages_since=since)
    assert counts(report) == {
        "event type": {"created": 2},
        "application": {"created": 2},
        "endpoint": {"created": 1},
        "message": {"created": 2},
    }
    assert (counts(planned), notes(planned)) == (counts(report), notes(report))
    app = engine.applications.get("acme")
    assert (app.id, app.throttle_rate, app.metadata) == (filled.app, 7, {"plan": "pro"})
    assert abs(app.created_at - YESTERDAY) < timedelta(milliseconds=1)
    endpoint = engine.endpoints.get("acme", "main")
    assert (endpoint.id, endpoint.version, endpoint.throttle_rate, endpoint.disabled) == (filled.ep, 2, 3, True)
    assert (endpoint.event_types, endpoint.channels) == (("invoice.paid", "old"), ("a", "b"))
    assert (endpoint.metadata, endpoint.description) == ({"k": "v"}, "Main")
    assert engine.endpoints.get_secret("acme", "main") == secret("n")
    assert engine.endpoints.get_headers("acme", "main").sensitive == ("Authorization",)
    [batch] = [one for one in target.batches if one.endpoints][-1:]
    assert [key.secret for key in batch.endpoints[0].old_keys or ()] == [secret("w"), secret("o"), secret("e")]
    old = engine.event_types.get("old")
    assert (old.archived, old.feature_flags) == (True, ("beta",))
    assert engine.event_types.get("invoice.paid").deprecated
    assert engine.messages.get("acme", filled.msg).payload == b'{"b": 1, "a":2.0}'
    assert engine.messages.get("acme", f"uid-{filled.legacy}").payload == b'{"id": 1}'
    told = notes(report)
    assert told.pop("message has no payload any more, and is left out") == [filled.gone]
    assert list(told.values()) == [[f"{filled.ep} webhook-own"], [filled.ep]]

    again = read(postgresql, target, messages_since=since)
    assert counts(again) == {
        "event type": {"same": 2},
        "application": {"same": 2},
        "endpoint": {"same": 1},
        "message": {"same": 2},
    }


def test_it_is_read_page_by_page(postgresql: str, filled: Filled, engine: SyncEngine, target: EngineTarget) -> None:
    report = read(postgresql, target, page=1, messages_since=NOW - timedelta(days=3))
    assert report.complete
    assert sum(sum(found.values()) for found in counts(report).values()) == 7


def test_a_main_secret_that_is_missing_or_wrong_is_named(postgresql: str, filled: Filled, target: EngineTarget) -> None:
    for main_secret, text in ((None, "WEBHOOK_ENGINE_IMPORT_MAIN_SECRET"), ("other", "another main secret")):
        with pytest.raises(SourceError, match=text):
            read(postgresql, target, main_secret=main_secret)


def test_of_several_organizations_one_is_chosen(postgresql: str, filled: Filled, target: EngineTarget) -> None:
    with psycopg.connect(postgresql) as connection:
        connection.execute("INSERT INTO application VALUES ('app_y', now(), now(), 'org_b', NULL, 'B', NULL, false)")
        connection.execute(
            "INSERT INTO application VALUES"
            " ('app_z', now(), now(), 'org_00000000000SvixManagement00', NULL, 'M', NULL, false)"
        )
    with pytest.raises(SourceError, match=f"--from-organization: {ORG}, org_b$"):
        read(postgresql, target)
    with pytest.raises(SourceError, match=r"org_c: the database has nothing of it; there are: "):
        read(postgresql, target, "org_c")
    assert counts(read(postgresql, target, ORG))["endpoint"] == {"created": 1}


def test_a_database_without_its_tables_is_named(postgresql: str, target: EngineTarget) -> None:
    with psycopg.connect(postgresql) as connection:
        connection.execute(TABLES.partition("CREATE")[0].encode())
    with pytest.raises(SourceError, match="has no table application; is it that of a Svix server"):
        read(postgresql, target)
    with psycopg.connect(postgresql) as connection:
        connection.execute(TABLES.encode())
    with pytest.raises(SourceError, match="nothing to take over"):
        read(postgresql, target)
