"""All at once, by chance: receivers of every kind, edits, expunges, resends, restarts; then the books are checked.

A failure prints the seed. What the chances are is the same for a seed; what comes first is not.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import receivers
from engines import local_engine, send, until
from receivers import OK, Receiver, Reply
from stores import query

from webhook_engine import Engine, WebhookEngineError

LIVES = 4
LIFE_S = 3.0
CALLERS = 6
SEED = random.randrange(2**32)

KINDS: list[Callable[[random.Random], Receiver]] = [
    lambda _: Receiver(),
    lambda chance: Receiver(lambda _: chance.choice([200, 200, 500, 429, 503])),
    lambda _: Receiver(Reply(200, delay=0.05)),
    lambda _: Receiver(Reply(204, b"")),
    lambda _: Receiver(410),
    lambda _: receivers.hanging(),
    lambda _: receivers.resetting(),
    lambda _: receivers.short_body(),
    lambda _: receivers.closing_after_each_answer(),
    lambda _: receivers.trickling(0.01),
    lambda _: receivers.malformed(),
    lambda _: receivers.endless_body(500),
    lambda _: receivers.switching_protocols(),
    lambda _: receivers.continuing_once(),
    lambda _: receivers.tls(),
    lambda _: receivers.malformed(OK + b" and more"),
]

BOOKS = {
    "a delivery is pending and nothing will come of it": """
        SELECT count(*) FROM webhook_delivery AS delivery WHERE status = 1 AND due_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM webhook_manual_attempt AS manual
            WHERE manual.message_id = delivery.message_id AND manual.endpoint_id = delivery.endpoint_id)""",
    "a delivery is settled and still scheduled": """
        SELECT count(*) FROM webhook_delivery WHERE status <> 1 AND due_at IS NOT NULL""",
    "attempts were made that are not counted, or counted that are not there": """
        SELECT count(*) FROM webhook_delivery AS delivery WHERE attempt_count <> (
            SELECT count(*) FROM webhook_attempt AS attempt
            WHERE attempt.message_id = delivery.message_id AND attempt.endpoint_id = delivery.endpoint_id)""",
    "a delivery has succeeded without an attempt that did": """
        SELECT count(*) FROM webhook_delivery AS delivery WHERE status = 0 AND NOT EXISTS (
            SELECT 1 FROM webhook_attempt AS attempt WHERE attempt.status = 0
            AND attempt.message_id = delivery.message_id AND attempt.endpoint_id = delivery.endpoint_id)""",
    "an attempt has succeeded and its delivery has not": """
        SELECT count(*) FROM webhook_delivery AS delivery WHERE status = 1 AND EXISTS (
            SELECT 1 FROM webhook_attempt AS attempt WHERE attempt.status = 0
            AND attempt.message_id = delivery.message_id AND attempt.endpoint_id = delivery.endpoint_id)""",
    "a task never ended": "SELECT count(*) FROM webhook_task WHERE status <> 'finished'",
    "a request of a person was never made": "SELECT count(*) FROM webhook_manual_attempt",
}
"""What must be 0 when all is at rest."""


class Crowd:
    """Callers who do whatever comes to their minds, and remember what was accepted."""

    def __init__(self, chance: random.Random, urls: list[str]) -> None:
        self._chance = chance
        self._urls = urls
        self.endpoints: list[str] = []
        self.accepted: list[str] = []
        self._deeds: dict[Callable[[Engine], Awaitable[object]], int] = {
            self._send: 30,
            self._send_and_give_up: 5,
            self._resend: 5,
            self._expunge: 2,
            self._cancel: 2,
            self._recover: 1,
            self._disable: 1,
            self._enable: 4,
            self._move: 2,
            self._limit: 4,
        }

    async def live(self, engine: Engine) -> None:
        """Until the time is over."""
        ends_at = time.monotonic() + LIFE_S
        await asyncio.gather(*(self._act(engine, ends_at) for _ in range(CALLERS)))

    async def _act(self, engine: Engine, ends_at: float) -> None:
        while time.monotonic() < ends_at:
            [deed] = self._chance.choices(list(self._deeds), list(self._deeds.values()))
            try:
                await deed(engine)
            except WebhookEngineError as error:
                assert "expired or was expunged" in str(error), error  # noqa: PT017 (nothing else may be refused)
            await asyncio.sleep(self._chance.random() * 0.01)

    @property
    def _message(self) -> str:
        return self._chance.choice(self.accepted[-100:])

    @property
    def _endpoint(self) -> str:
        return self._chance.choice(self.endpoints)

    async def _send(self, engine: Engine) -> None:
        self.accepted.append(await send(engine))

    async def _send_and_give_up(self, engine: Engine) -> None:
        sending = asyncio.create_task(send(engine))
        await asyncio.sleep(self._chance.random() * 0.003)
        sending.cancel()
        self.accepted += [one for one in await asyncio.gather(sending, return_exceptions=True) if isinstance(one, str)]

    async def _resend(self, engine: Engine) -> None:
        await engine.attempts.resend("acme", self._message, self._endpoint)

    async def _expunge(self, engine: Engine) -> None:
        await engine.messages.expunge_content("acme", self._message)

    async def _cancel(self, engine: Engine) -> None:
        await engine.messages.cancel("acme", self._message)

    async def _recover(self, engine: Engine) -> None:
        await engine.endpoints.recover("acme", self._endpoint, since=datetime.now(UTC) - timedelta(minutes=5))

    async def _disable(self, engine: Engine) -> None:
        await engine.endpoints.disable("acme", self._endpoint)

    async def _enable(self, engine: Engine) -> None:
        await engine.endpoints.enable("acme", self._endpoint)

    async def _move(self, engine: Engine) -> None:
        await engine.endpoints.update("acme", self._endpoint, url=self._chance.choice(self._urls))

    async def _limit(self, engine: Engine) -> None:
        rate = self._chance.choice([None, None, 5, 100])
        await engine.endpoints.update("acme", self._endpoint, throttle_rate=rate)


@pytest.fixture
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No error is logged, nor one of asyncio about what nobody looked after."""
    yield
    assert not [one.getMessage() for one in caplog.get_records("call") if one.levelno >= logging.ERROR]


@pytest.mark.slow
@pytest.mark.usefixtures("no_complaints")
async def test_whatever_happens_the_books_are_right_in_the_end(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance, database = random.Random(SEED), tmp_path / "e.db"
    settings = {
        "timeout": "300ms",
        "retry_schedule": ["20ms", "50ms", "100ms"],
        "max_in_flight": 40,
        "max_in_flight_per_endpoint": 8,
    }
    made = [kind(chance) for kind in KINDS]
    for receiver in made:
        await receiver.start()
    try:
        crowd = Crowd(chance, [receiver.url for receiver in made])
        for life in range(LIVES):
            async with local_engine(database, shutdown_grace="100ms", **settings) as engine:
                if life == 0:
                    await engine.applications.create(name="Acme", uid="acme")
                    for receiver in made:
                        endpoint = await engine.endpoints.create("acme", url=receiver.url)
                        crowd.endpoints.append(endpoint.id)
                    crowd.accepted.append(await send(engine))
                await crowd.live(engine)
        async with local_engine(database, **{**settings, "timeout": "5s"}) as engine:
            for endpoint_id in crowd.endpoints:
                await engine.endpoints.update("acme", endpoint_id, url=made[0].url, throttle_rate=None)

            def at_rest() -> bool:
                return query(database, "SELECT count(*) FROM webhook_delivery WHERE due_at IS NOT NULL") == [(0,)]

            await until(at_rest, timeout=60)
            await engine.join(timeout=30)
    finally:
        for receiver in made:
            await receiver.stop()
    assert {name: query(database, sql)[0][0] for name, sql in BOOKS.items()} == dict.fromkeys(BOOKS, 0)
    stored = {message for (message,) in query(database, "SELECT id FROM webhook_message")}
    assert set(crowd.accepted) <= stored
    assert query(database, "PRAGMA integrity_check") == [("ok",)]
    settled = query(database, "SELECT status, reason, count(*) FROM webhook_delivery GROUP BY 1, 2")
    print(f"{len(crowd.accepted)} messages accepted; deliveries by state: {settled}")
