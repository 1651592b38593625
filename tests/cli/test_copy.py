"""``webhook-engine copy``: an engine on PostgreSQL goes on where the one on SQLite was stopped."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psycopg
import pytest
from api_clients import Client, Tokens, an_hour_ago
from commands import Done, command
from engines import LOOPBACK, local_engine, until
from receivers import Receiver

from webhook_engine import Config, Engine, Webhook
from webhook_engine.outbox import enqueue
from webhook_engine.secrets.files import SecretFile
from webhook_engine.store.sqlite import SqliteStore

SCHEMA = "copied"


@pytest.fixture
def server(postgresql_url: str) -> Iterator[str]:
    yield postgresql_url
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def copy(path: Path, url: str, *more: str, **environment: str) -> Done:
    return command("copy", "--from", f"sqlite:///{path}", "--to", url, "--schema", SCHEMA, *more, **environment)


@asynccontextmanager
async def served(engine: Engine) -> AsyncIterator[Client]:
    async with engine, engine.serve("127.0.0.1:0") as listening, aiohttp.ClientSession() as session:
        secret = SecretFile.JWT.of(engine.config.store.files).read_text().strip()
        yield Client(session, listening.url, Tokens(secret).organization())


@pytest.mark.slow
async def test_an_engine_on_the_copy_goes_on(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pending is delivered, and tokens, links, keys, positions, inboxes, tasks and statistics are the same."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    monkeypatch.chdir(new)
    message = {"eventType": "invoice.paid", "payload": {"n": 1}}
    key = {"idempotency-key": "k"}
    async with Receiver() as receiver:
        async with served(local_engine(old / "a.db", retry_schedule=[timedelta(hours=1)])) as api:
            assert (await api.post("/app", {"name": "Acme", "uid": "acme"})).status == 201
            endpoint = {"url": f"{receiver.url}/hook", "uid": "main", "headers": {"x-own": "secret"}}
            assert (await api.post("/app/acme/endpoint", endpoint)).status == 201
            secret = (await api.get("/app/acme/endpoint/main/secret")).json["key"]
            first = await api.post("/app/acme/msg", message, headers=key)
            await receiver.wait_for(1)
            receiver.answer(500)
            failing = (await api.post("/app/acme/msg", message)).json["id"]
            await receiver.wait_for(2)
            later = (await api.post("/app/acme/msg", {**message, "deliverAt": in_a_month()})).json["id"]
            await until(lambda: stands(api, failing, 2))
            link = urlsplit((await api.post("/auth/app-portal-access/acme", {})).json["url"]).fragment
            inbox = (await api("POST", "//root/play/")).json
            assert (await api("PUT", f"//root{urlsplit(inbox['url']).path}", "hello")).status == 200
            read = (await api.post("/app/acme/endpoint/main/recover", {"since": an_hour_ago().isoformat()})).json["id"]
            await until(lambda: ended(api, read))
            position = await pulled(api, 3)
            consumer = await api.post("/auth/app-portal-access/acme", {})
            revoked = await api.post("/auth/app-portal-access/acme", {})
            await api.with_token(revoked.json["token"]).post("/auth/logout")
            stats = (await api.get("/app/acme/endpoint/main/stats")).json
            token = api.token
        requests = len(receiver.requests)
        receiver.answer(200)
        done = await asyncio.to_thread(copy, old / "a.db", server)
        assert done.code == 0, done.err
        assert "checked by counts and sums" in done.err
        for name in ("main_secret", "jwt_secret"):
            assert (new / f"webhook-engine.db.{name}").read_text() == (old / f"a.db.{name}").read_text()
            assert (new / f"webhook-engine.db.{name}").stat().st_mode & 0o077 == 0
        config = Config.for_database(server, store__schema=SCHEMA, allow_subnets=LOOPBACK)
        async with served(Engine(config)) as api:
            api = api.with_token(token)
            assert (await api.post("/app/acme/msg", message, headers=key)).text == first.text
            assert (await api.get("/app/acme/endpoint/main/secret")).json["key"] == secret
            assert (await api.get("/app/acme/endpoint/main/stats")).json == stats
            assert (await api.get(f"/background-task/{read}")).json["status"] == "finished"
            assert (await api.with_token(consumer.json["token"]).get("/app/acme/endpoint")).status == 200
            assert (await api.with_token(revoked.json["token"]).get("/app/acme/endpoint")).status == 401
            opened = [await api.post("/auth/portal-session", {"key": link.removeprefix("key=")}) for _ in range(2)]
            assert [one.status for one in opened] == [200, 401]
            [request] = (await api.get(f"//root/play/inbox/{inbox['token']}")).json["requests"]
            assert request["body"] == "hello"
            assert await pulled(api, 0, f"iterator={position}") == position
            # Its retry would be due in an hour; asked for, it is made at once.
            assert (await api.post(f"/app/acme/msg/{failing}/endpoint/main/resend", {})).status in (200, 202)
            await receiver.wait_for(requests + 1)
            await until(lambda: stands(api, failing, 0))
            assert await stands(api, later, 1)
            assert len(receiver.requests) == requests + 1
        last = receiver.requests[-1]
        assert last.headers["webhook-id"] == failing
        assert last.headers["x-own"] == "secret"
        Webhook(secret).verify(last.body, last.headers)


def in_a_month() -> str:
    return (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def stands(api: Client, message: str, status: int) -> bool:
    found = (await api.get(f"/app/acme/msg/{message}/endpoint")).json["data"]
    return [one["status"] for one in found] == [status]


async def ended(api: Client, task: str) -> bool:
    return bool((await api.get(f"/background-task/{task}")).json["status"] == "finished")


async def pulled(api: Client, count: int, query: str = "") -> str:
    async def iterator() -> str | None:
        answer = (await api.get(f"/app/acme/poller/warehouse?{query}")).json
        return answer["iterator"] if len(answer["data"]) == count else None

    return str(await until(iterator))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that was opened once, with its secrets beside it; another directory is the working one."""
    path = tmp_path / "old" / "a.db"
    path.parent.mkdir()
    asyncio.run(opened_once(path))
    for secret in SecretFile:
        secret.of(path).write_text(f"the {secret}\n")
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    return path


async def opened_once(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with closing(sqlite3.connect(path)) as db, db:
        enqueue(db, application="acme", event_type="a", payload={})


def test_a_dry_run_says_what_there_is_to_do(source: Path, server: str) -> None:
    done = copy(source, server, "--dry-run")
    assert done.code == 0, done.err
    assert "webhook_outbox          1     0" in done.out
    assert f"would copy {source}.main_secret to {Path.cwd() / 'webhook-engine.db.main_secret'}" in done.err
    assert "nothing was changed" in done.err
    assert not any(Path.cwd().iterdir())
    done = copy(source, server)
    assert done.code == 0, done.err
    assert "webhook_outbox: 1 rows" in done.err
    done = copy(source, server)
    assert (done.code, done.out) == (0, "")
    assert "everything is there already" in done.err


def test_other_secrets_are_not_replaced(source: Path, server: str) -> None:
    Path("webhook-engine.db.jwt_secret").write_text("another")
    done = copy(source, server)
    assert done.code == 1
    assert "webhook-engine.db.jwt_secret is there already" in done.err
    assert "move it away" in done.err
    assert Path("webhook-engine.db.jwt_secret").read_text() == "another"
    assert not Path("webhook-engine.db.main_secret").exists()


def test_secrets_that_are_configured_are_named(source: Path, server: str) -> None:
    done = copy(source, server, WEBHOOK_ENGINE_SECURITY__MAIN_SECRET="m" * 40, WEBHOOK_ENGINE_AUTH__JWT_SECRET="j" * 40)
    assert done.code == 0, done.err
    assert "security.main_secret is configured: the engines on" in done.err
    assert "auth.jwt_secret is configured" in done.err
    assert not any(Path.cwd().iterdir())


def test_a_secret_that_is_missing_is_told(source: Path, server: str) -> None:
    SecretFile.MAIN.of(source).unlink()
    done = copy(source, server)
    assert done.code == 0, done.err
    assert "a.db.main_secret is not there; configure what the engine had" in done.err


def test_each_side_may_be_the_one_that_is_configured(source: Path, server: str) -> None:
    ours = {"WEBHOOK_ENGINE_STORE__URL": f"sqlite:///{source}"}
    theirs = {"WEBHOOK_ENGINE_STORE__URL": server, "WEBHOOK_ENGINE_STORE__SCHEMA": SCHEMA}
    assert command("copy", "--to", server, "--schema", SCHEMA, "--dry-run", **ours).code == 0
    assert command("copy", "--from", f"sqlite:///{source}", "--dry-run", **theirs).code == 0
    done = command("copy", "--schema", SCHEMA, **ours)
    assert (done.code, "--to: name the PostgreSQL database" in done.err) == (2, True)
    done = command("copy", **theirs)
    assert (done.code, "--from: name the SQLite file" in done.err) == (2, True)
    done = copy(source, f"sqlite:///{source}2")
    assert done.code == 2
    assert "an SQLite file has no schemas" in done.err


def test_a_server_that_cannot_be_reached_is_named(source: Path, tmp_path: Path) -> None:
    done = copy(source, f"postgresql://u:secret@/app?host={tmp_path}")
    assert done.code == 1
    assert "cannot be reached" in done.err or "No such file" in done.err
    assert "secret@" not in done.err


def test_a_backup_of_a_server_says_what_to_use_instead(server: str, tmp_path: Path) -> None:
    done = command("backup", str(tmp_path / "x"), WEBHOOK_ENGINE_STORE__URL=server)
    assert done.code == 1
    assert "back it up with pg_dump" in done.err
    assert "webhook-engine.db.main_secret" in done.err
