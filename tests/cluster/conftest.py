"""One server for the tests of several engines, and a schema of its own for each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from database_servers import postgresql

from webhook_engine import Config, Engine


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def schema(server: str) -> Iterator[str]:
    name = f"c_{uuid.uuid4().hex[:12]}"
    yield name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine(server: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeEngine:
    """Makes engines on one database, with the same secrets."""
    monkeypatch.chdir(tmp_path)

    def make(*, url: str = server, **settings: object) -> Engine:
        given = {
            "allow_subnets": ["127.0.0.1/32"],
            "retry_schedule": [timedelta(milliseconds=200)] * 3,
            "store__schema": schema,
            **settings,
        }
        return Engine(Config.for_database(url, **given))

    return make
