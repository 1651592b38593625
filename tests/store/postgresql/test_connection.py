"""TLS, passwords and rights, with a server that insists on them."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme
from database_servers import TlsPostgresql, tls_postgresql
from records import ORGANIZATION, World
from store.scenario import run_the_flow

from webhook_engine.config.sections import StoreConfig
from webhook_engine.errors import StoreUnavailableError
from webhook_engine.outbox import enqueue
from webhook_engine.store.opening import inspect_server, open_store, outbox_writer
from webhook_engine.store.postgresql import PostgresqlStore

PASSWORD = "s3cret & more"


@pytest.fixture(scope="module")
def server() -> Iterator[TlsPostgresql]:
    with tls_postgresql() as running:
        with psycopg.connect(running.url, autocommit=True) as connection:
            for role in ("webhooks", "certified"):
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
                connection.execute(f"CREATE SCHEMA {role} AUTHORIZATION {role}")
        yield running


@pytest.fixture(autouse=True)
def refused() -> Iterator[None]:
    """asyncpg does not wait until a TLS connection that was refused is closed, and the loop may end before."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def passwords(server: TlsPostgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A password file for the role, and nothing else of libpq's surroundings."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "pgpass"
    file.write_text(f"*:{server.port}:postgres:webhooks:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    return file


def url_of(server: TlsPostgresql, parameters: str, host: str = "localhost", user: str = "webhooks") -> str:
    return f"postgresql://{user}@{host}:{server.port}/postgres?{parameters}"


async def encrypted(url: str) -> bool:
    store = PostgresqlStore(url)
    await store.database.open()
    return bool(
        await store.database.prepare(
            lambda session: session.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )
    )


@pytest.mark.parametrize(
    ("host", "mode"),
    [
        ("localhost", "prefer"),
        ("127.0.0.1", "require"),
        ("127.0.0.1", "verify-ca"),
        ("localhost", "verify-ca"),
        ("localhost", "verify-full"),
    ],
)
async def test_it_is_encrypted_and_verified_as_told(server: TlsPostgresql, host: str, mode: str) -> None:
    authority = f"&sslrootcert={server.directory}/ca.pem" if "verify" in mode else ""
    assert await encrypted(url_of(server, f"sslmode={mode}{authority}", host))


@pytest.mark.parametrize(
    ("host", "mode", "authority", "words"),
    [
        ("127.0.0.1", "verify-full", "ca.pem", "certificate is not valid for '127.0.0.1'"),
        ("localhost", "verify-ca", "other.pem", "certificate verify failed"),
        ("localhost", "verify-full", "other.pem", "certificate verify failed"),
        ("localhost", "disable", "ca.pem", "no pg_hba.conf entry"),
    ],
)
async def test_what_cannot_be_trusted_is_refused(
    server: TlsPostgresql, tmp_path: Path, host: str, mode: str, authority: str, words: str
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    place = (tmp_path if authority == "other.pem" else server.directory) / authority
    with pytest.raises(StoreUnavailableError, match=words) as refused:
        await encrypted(url_of(server, f"sslmode={mode}&sslrootcert={place}", host))
    assert PASSWORD not in str(refused.value)


async def test_a_client_is_known_by_its_certificate(server: TlsPostgresql, passwords: Path) -> None:
    passwords.write_text("")
    key = f"sslcert={server.directory}/client.pem&sslkey={server.directory}/client.key"
    trust = f"sslmode=verify-full&sslrootcert={server.directory}/ca.pem"
    assert await encrypted(url_of(server, f"{trust}&{key}", user="certified"))
    with pytest.raises(StoreUnavailableError, match="refuses this user or password"):
        await encrypted(url_of(server, trust, user="certified"))


async def test_a_service_says_where_the_server_is(
    server: TlsPostgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text(
        f"[hooks]\nhost=localhost\nport={server.port}\ndbname=postgres\nuser=webhooks\n"
        f"sslmode=verify-full\nsslrootcert={server.directory}/ca.pem\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert await encrypted("postgresql:///?service=hooks")


async def test_a_wrong_password_is_told_and_not_shown(server: TlsPostgresql, passwords: Path) -> None:
    passwords.write_text(f"*:*:*:*:wrong {PASSWORD}\n")
    with pytest.raises(StoreUnavailableError, match="refuses this user or password") as refused:
        await encrypted(url_of(server, "sslmode=require"))
    assert PASSWORD not in str(refused.value)


async def test_a_role_without_any_privilege_is_enough(server: TlsPostgresql) -> None:
    """All that a store is asked for, the outbox's writer and the doctor, over TLS, in a schema of the role's own."""
    url = url_of(server, f"sslmode=verify-full&sslrootcert={server.directory}/ca.pem")
    config = StoreConfig(url=url, schema="webhooks")
    store = open_store(config)
    await store.open()
    try:
        world = World(store)
        application, endpoint = await world.pair()
        await run_the_flow(store, world, application, endpoint)
        assert (await store.applications.get(ORGANIZATION, application.id)).id == application.id
        write = outbox_writer(config)
        assert write(lambda db: enqueue(db, application="a", event_type="b", payload={})).startswith("msg_")
        assert len(await store.outbox.waiting(10)) == 1
    finally:
        await store.close()
    remarks = await inspect_server(config)
    assert not [remark for remark in remarks if remark.serious and "fsync" not in remark.what]
    assert any("the tables are in the schema webhooks of postgres, as webhooks may" in each.what for each in remarks)
