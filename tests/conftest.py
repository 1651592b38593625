"""What holds for all tests."""

import logging
import socket
from collections.abc import Iterator

import pytest
import stores
from database_servers import postgresql
from hypothesis import settings
from names import Names

# A loaded machine is no failure of the code.
settings.register_profile("webhook_engine", deadline=None)
settings.load_profile("webhook_engine")


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
