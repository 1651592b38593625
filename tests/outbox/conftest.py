"""Database servers for the tests of the outbox, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from database_servers import mariadb, postgresql


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    with mariadb() as url:
        yield url
