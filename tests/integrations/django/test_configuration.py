"""From an entry of Django's ``DATABASES`` to the URL of an outbox: nothing of what it asks for is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from outbox.sources import connected, fresh

from webhook_engine import ConfigError, StoreUnavailableError
from webhook_engine.config.values import source_url as kind_of_source_url
from webhook_engine.integrations.django.configuration import source_url
from webhook_engine.outbox import create_table, enqueue
from webhook_engine.store.sources import source_database
from webhook_engine.store.sources.mysql import MysqlSource

POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "USER": "me", "PASSWORD": "p@ss/w:rd"}
MYSQL = {**POSTGRESQL, "ENGINE": "django.db.backends.mysql"}


def of(database: dict[str, Any]) -> str:
    """The URL, which the configuration takes as it is."""
    url = source_url(database)
    assert kind_of_source_url().read(url) == url
    return url


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "postgresql://me:p%40ss%2Fw%3Ard@/shop"),
        ({"HOST": "db.example.com", "PORT": 5433}, "postgresql://me:p%40ss%2Fw%3Ard@db.example.com:5433/shop"),
        ({"HOST": "2001:db8::7", "PORT": "5433"}, "postgresql://me:p%40ss%2Fw%3Ard@[2001:db8::7]:5433/shop"),
        ({"HOST": "::1"}, "postgresql://me:p%40ss%2Fw%3Ard@[::1]/shop"),
        ({"HOST": "/run/pg", "PORT": "5433"}, "postgresql://me:p%40ss%2Fw%3Ard@/shop?host=%2Frun%2Fpg&port=5433"),
        (
            {"OPTIONS": {"sslmode": "require", "sslrootcert": "/etc/ca.pem"}},
            "postgresql://me:p%40ss%2Fw%3Ard@/shop?sslmode=require&sslrootcert=%2Fetc%2Fca.pem",
        ),
        (
            {"OPTIONS": {"options": "-c search_path=shop,public"}},
            "postgresql://me:p%40ss%2Fw%3Ard@/shop?options=-c%20search_path%3Dshop%2Cpublic",
        ),
        ({"OPTIONS": {"assume_role": "writer"}}, "postgresql://me:p%40ss%2Fw%3Ard@/shop?options=-c%20role%3Dwriter"),
        ({"OPTIONS": {"isolation_level": 3, "pool": True}}, "postgresql://me:p%40ss%2Fw%3Ard@/shop"),
    ],
)
def test_postgresql(given: dict[str, Any], url: str) -> None:
    assert of({**POSTGRESQL, **given}) == url


def test_a_service_has_the_rest() -> None:
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "", "OPTIONS": {"service": "shop"}}
    assert of(database) == "postgresql:///?service=shop"


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"HOST": "/run/mysqld/mysqld.sock"}, {"unix_socket": "/run/mysqld/mysqld.sock"}),
        ({"OPTIONS": {"ssl_mode": "REQUIRED"}}, {"ssl_mode": "REQUIRED"}),
        ({"OPTIONS": {"ssl": {"ca": "/etc/ca.pem"}}}, {"ssl_ca": "/etc/ca.pem", "ssl_mode": "VERIFY_CA"}),
        ({"OPTIONS": {"read_default_file": "/etc/my.cnf"}}, {"read_default_file": "/etc/my.cnf"}),
        ({"OPTIONS": {"charset": "utf8mb4", "init_command": "SET a = 1"}}, {"charset": "utf8mb4"}),
    ],
)
def test_mysql(given: dict[str, Any], options: dict[str, str]) -> None:
    url = of({**MYSQL, **given})
    assert dict(parse_qsl(urlsplit(url).query)) == options
    if "read_default_file" not in options and "ssl_ca" not in options:
        MysqlSource("shop", url)


def test_what_would_be_lost_is_refused() -> None:
    with pytest.raises(ConfigError, match="compress"):
        source_url({**MYSQL, "OPTIONS": {"compress": True}})
    with pytest.raises(ConfigError, match="file"):
        source_url({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"})
    with pytest.raises(ConfigError, match="oracle"):
        source_url({**POSTGRESQL, "ENGINE": "django.db.backends.oracle"})
    with pytest.raises(ConfigError, match="nowhere"):
        source_url({**POSTGRESQL, "ENGINE": "nowhere.to.be.found"})


@pytest.mark.parametrize(("base", "scheme"), [("postgresql", "postgresql"), ("sqlite3", "sqlite")])
def test_an_engine_that_derives_from_a_built_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, scheme: str
) -> None:
    package = tmp_path / f"counting_{base}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.py").write_text(
        f"from django.db.backends.{base} import base\n\nclass DatabaseWrapper(base.DatabaseWrapper):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert of({**POSTGRESQL, "ENGINE": package.name}).startswith(f"{scheme}://")


def as_django(url: str, **options: str) -> dict[str, Any]:
    """A server of the tests as Django's settings have it."""
    query = parse_qs(urlsplit(url).query)
    engine = "django.db.backends.postgresql"
    return {"ENGINE": engine, "NAME": "postgres", "USER": "postgres", "HOST": query["host"][0], "OPTIONS": options}


def test_a_search_path_leads_to_the_outbox_of_that_schema(postgresql_url: str) -> None:
    fresh(postgresql_url)
    with connected(postgresql_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute("CREATE SCHEMA shop")
        connection.execute("SET search_path TO shop")
        create_table(connection)
        enqueue(connection, application="of-the-schema", event_type="a.b", payload={})
        connection.commit()
    source = source_database(of(as_django(postgresql_url, options="-c search_path=shop")))
    source.connect()
    try:
        assert [row.application for row in source.rows(10)] == ["of-the-schema"]
    finally:
        source.close()
        with connected(postgresql_url) as connection:
            connection.execute("DROP SCHEMA shop CASCADE")
            connection.commit()


def test_mysql_without_the_tls_that_is_asked_for_is_refused(mariadb_url: str) -> None:
    fresh(mariadb_url)
    source = source_database(f"{mariadb_url}&ssl_mode=REQUIRED")
    with pytest.raises(StoreUnavailableError, match=r"TLS|SSL"):
        source.connect()
    with pytest.raises(ConfigError, match="VERIFY_IDENTITY"):
        source_database(f"{mariadb_url}&ssl_mode=perhaps")
