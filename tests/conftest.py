"""What holds for all tests."""

import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import stores
from database_servers import mariadb, pgbouncer, postgresql
from hypothesis import settings
from names import Names
from outbox.sources import fresh
from prepared import copied_databases

# A loaded machine is no failure of the code. Continuous integration takes as many examples as there are by default.
settings.register_profile("thorough", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30, stateful_step_count=30)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them each process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def log_settings() -> Iterator[None]:
    """A command that runs in this process sets up logging as if it were its own; the next test must not see it."""
    logger = logging.getLogger("webhook_engine")
    level, propagate, handlers = logger.level, logger.propagate, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers = propagate, handlers


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """What names resolve to: those in its table as that says, all others as the system does."""
    fake = Names()
    monkeypatch.setattr(socket, "getaddrinfo", fake)
    yield fake
    fake.let_go()


@pytest.fixture(scope="session", autouse=True)
def new_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Those on a file are copies, which takes a third of the time."""
    with copied_databases(tmp_path_factory.mktemp("new")):
        yield


@pytest.fixture(scope="session", autouse=True)
def on_postgresql() -> Iterator[str | None]:
    """The server that engines are on in this run, where the switch of the tests says so."""
    if not stores.ON_POSTGRESQL:
        yield None
        return
    with postgresql() as url, stores.switched(url):
        yield url


@pytest.fixture(autouse=True)
def schemas(on_postgresql: str | None) -> Iterator[None]:
    """Each test begins with an empty database."""
    yield
    if on_postgresql is not None:
        stores.forget_all(on_postgresql)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of HTTP that keeps no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


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
    if request.param == "sqlite" and stores.ON_POSTGRESQL:
        pytest.skip("a file beside an engine on a file is enough")
    if request.param == "sqlite":
        return fresh(f"sqlite:///{tmp_path / 'app.db'}")
    return fresh(str(request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "mariadb_url")))
