"""Senders that may call receivers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from delivery.http.sending import TIMEOUT_S, make_sender

from webhook_engine.delivery.http.sender import Sender


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with make_sender() as ready:
        yield ready


@pytest.fixture
async def impatient() -> AsyncIterator[Sender]:
    async with make_sender(timeout_s=TIMEOUT_S) as ready:
        yield ready
