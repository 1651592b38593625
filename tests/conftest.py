"""What holds for all tests."""

import logging
import socket
from collections.abc import Iterator

import pytest
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
