"""Database servers for the tests of the outbox, started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from database_servers import mariadb, pgbouncer, postgresql
from outbox.sources import fresh


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def pgbouncer_url(postgresql_url: str) -> Iterator[str]:
    with pgbouncer(postgresql_url) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with mariadb() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A program's own database with an empty outbox, as a URL of ``outbox.sources``."""
    if request.param == "sqlite":
        return fresh(f"sqlite:///{tmp_path / 'app.db'}")
    return fresh(str(request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "mariadb_url")))
