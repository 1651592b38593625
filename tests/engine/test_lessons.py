"""Bugs by which other webhook servers lost or repeated messages, held against this one.

Here is what has no place elsewhere. What does, is proven there: retries and their delays in ``test_ladder``, resends in
``test_manual``, disabled endpoints in ``test_disabling``, duplicates in ``test_idempotency``, dead processes in
``test_crash`` and ``test_lifecycle``, a database that refuses in ``test_faults``, old databases in ``test_upgrade``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from engines import (
    Answers,
    acme,
    attempts_of,
    cancelled,
    destination,
    ids_of,
    local_engine,
    send,
    send_many,
    until,
)
from receivers import Receiver, Request
from stores import query

from webhook_engine import AttemptStatus, ConflictError, Engine, StoreUnavailableError
from webhook_engine.delivery.schedule import dispatcher
from webhook_engine.errors import StoreError
from webhook_engine.store.records import Outcomes


class Recording:
    """Stands before the store's way to record outcomes, and refuses some of them."""

    def __init__(self, engine: Engine) -> None:
        self._deliveries = engine.services.store.deliveries
        self._record = self._deliveries.record
        self.unavailable = 0
        """How many more times the database refuses everything."""
        self.poison = ""
        """A message whose attempts can never be stored."""
        self.refused = 0
        self._deliveries.record = self  # type: ignore[method-assign, assignment]

    async def __call__(self, outcomes: Outcomes) -> object:
        if self.unavailable:
            self.unavailable -= 1
            self.refused += 1
            raise StoreUnavailableError("for the time being")
        if any(attempt.message_id == self.poison for attempt in outcomes.attempts):
            self.refused += 1
            raise StoreError("never")
        return await self._record(outcomes)


async def test_a_message_that_fails_everywhere_is_retried_everywhere(tmp_path: Path) -> None:
    """Retries that shared an id: of several destinations that failed, one was tried again."""
    database, answers = tmp_path / "e.db", Answers(500)
    async with Receiver(answers) as receiver:
        base = receiver.url.removesuffix("/hook")
        async with local_engine(database, retry_schedule=["300ms", "300ms"]) as engine:
            for number in range(5):
                await acme(engine, f"{base}/{number}")
            message = await send(engine)
            await receiver.wait_for(5)
        async with local_engine(database, retry_schedule=["300ms", "300ms"]) as engine:
            await receiver.wait_for(15)
            await engine.join(timeout=5)
            assert Counter(request.path for request in receiver.requests) == {f"/{number}": 3 for number in range(5)}
            assert set(ids_of(receiver)) == {message}


async def test_an_outcome_that_cannot_be_recorded_yet_is_recorded_later_and_not_made_again(tmp_path: Path) -> None:
    """A delivery was repeated because the log of the first attempt could not be written."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        recording = Recording(engine)
        recording.unavailable = 3
        message = await send(engine)
        await engine.join(timeout=10)
        assert recording.refused == 3
        assert len(receiver.requests) == 1
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.SUCCESS


async def test_an_outcome_that_can_never_be_recorded_stops_neither_the_others_nor_itself(tmp_path: Path) -> None:
    """A poisonous task came back for ever, and occupied a worker each time."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        recording = Recording(engine)
        first = await send(engine)
        await engine.join(timeout=5)
        answered = receiver.requests.copy()
        receiver.requests.clear()
        gate = asyncio.Event()

        async def wait(_request: Request) -> int:
            await gate.wait()
            return 200

        receiver.answer(wait)
        messages = await send_many(engine, 20)
        recording.poison = messages[7]
        gate.set()
        await engine.join(timeout=10)
        assert recording.refused >= 1
        assert Counter(ids_of(receiver)) == Counter(messages)
        for message in (first, *messages):
            assert (await destination(engine, message)).status is AttemptStatus.SUCCESS
            assert len(await attempts_of(engine, message)) == (0 if message == recording.poison else 1)
        assert len(answered) == 1


async def test_an_endpoint_whose_secret_cannot_be_read_stops_no_other_and_loses_nothing(tmp_path: Path) -> None:
    """One broken subscription, or signature, stopped all that matched the message."""
    database = tmp_path / "e.db"
    async with Receiver() as receiver:
        base = receiver.url.removesuffix("/hook")
        async with local_engine(database) as engine:
            good = await acme(engine, f"{base}/good")
            broken = await acme(engine, f"{base}/broken")
        [(encrypted,)] = query(database, "SELECT encrypted_key FROM webhook_endpoint WHERE id = ?", broken.id)
        query(database, "UPDATE webhook_endpoint SET encrypted_key = ? WHERE id = ?", b"\0", broken.id)
        async with local_engine(database) as engine:
            messages = await send_many(engine, 5)
            await receiver.wait_for(5)
            assert {request.path for request in receiver.requests} == {"/good"}

            async def standing() -> list[tuple[int, int]]:
                stats = [await engine.endpoints.stats("acme", one.id) for one in (good, broken)]
                return [(one.success, one.pending) for one in stats]

            async def all_but_the_broken_one() -> bool:
                return await standing() == [(5, 0), (0, 5)]

            await until(all_but_the_broken_one)
            # Whoever repairs it need not start anything again.
            query(database, "UPDATE webhook_endpoint SET encrypted_key = ? WHERE id = ?", encrypted, broken.id)
            await engine.join(timeout=10)
            assert Counter(ids_of(receiver)) == Counter(messages * 2)


async def test_what_a_caller_gave_up_on_is_there_or_not_and_its_event_id_agrees(tmp_path: Path) -> None:
    """A row was committed and never queued, and its event id kept it from being accepted ever again."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        for number in range(20):
            event_id = f"inv-{number}"
            first = asyncio.create_task(
                engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id=event_id)
            )
            for _ in range(number):
                await asyncio.sleep(0)
            await cancelled(first)
            try:
                await engine.messages.create("acme", event_type="invoice.paid", payload={}, event_id=event_id)
            except ConflictError:
                assert await engine.messages.get("acme", event_id)
        await engine.join(timeout=5)
        stored = [message.id async for message in engine.messages.iterate("acme")]
        assert len(stored) == 20
        assert Counter(ids_of(receiver)) == Counter(stored)


async def test_a_message_created_after_a_subscription_changed_obeys_it(tmp_path: Path) -> None:
    """A change of subscriptions raced with the dispatch of messages."""
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await engine.event_types.create(name="invoice.paid")
        await engine.event_types.create(name="other")
        base = receiver.url.removesuffix("/hook")
        await acme(engine, f"{base}/always")
        stopping = False

        async def send_on() -> None:
            while not stopping:
                await send(engine)

        others = [asyncio.create_task(send_on()) for _ in range(3)]
        wanted: list[tuple[str, str]] = []
        unwanted: list[tuple[str, str]] = []
        for number in range(15):
            endpoint = await acme(engine, f"{base}/{number}")
            wanted.append((f"/{number}", await send(engine)))
            await engine.endpoints.update("acme", endpoint.id, event_types=["other"])
            unwanted.append((f"/{number}", await send(engine)))
            await engine.endpoints.update("acme", endpoint.id, event_types=None)
            wanted.append((f"/{number}", await send(engine)))
            await engine.endpoints.delete("acme", endpoint.id)
            unwanted.append((f"/{number}", await send(engine)))
        stopping = True
        await asyncio.gather(*others)
        await engine.join(timeout=10)
        # What is deleted at once may be cancelled before it was sent, but it had its delivery.
        sent = query(
            tmp_path / "e.db", "SELECT url, message_id FROM webhook_delivery JOIN webhook_endpoint ON id = endpoint_id"
        )
        pairs = Counter((url.removeprefix(base), message) for url, message in sent)
        assert all(pairs[pair] == 1 for pair in wanted)
        assert not any(pairs[pair] for pair in unwanted)


async def test_more_than_a_page_is_settled_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep took the first hundred and reported that it had taken all."""
    monkeypatch.setattr(dispatcher, "SETTLE_PAGE", 7)
    monkeypatch.setattr(dispatcher, "SCAN_PAGE", 3)
    monkeypatch.setattr(dispatcher, "MAX_ERRANDS", 2)
    monkeypatch.setattr(dispatcher, "REFILL", 4)
    database, answers = tmp_path / "e.db", Answers(500)
    async with Receiver(answers) as receiver:
        async with local_engine(database, retry_schedule=["1h"]) as engine:
            endpoints = [await acme(engine, receiver.url) for _ in range(20)]
            messages = await send_many(engine, 10)
            await engine.join(timeout=10)
            await engine.endpoints.disable("acme", endpoints[0].id)
            assert pending(database) == {endpoint.id: 10 for endpoint in endpoints[1:]}
        query(database, "UPDATE webhook_delivery SET due_at = 1 WHERE due_at IS NOT NULL")
        answers.status = 200
        receiver.requests.clear()
        async with local_engine(database, retry_schedule=["1h"]) as engine:
            await until(lambda: not pending(database))
            await engine.join(timeout=10)
        assert Counter(ids_of(receiver)) == dict.fromkeys(messages, 19)


def pending(database: Path) -> dict[str, int]:
    """How much is scheduled, by endpoint."""
    rows: Sequence[tuple[str, int]] = query(
        database, "SELECT endpoint_id, count(*) FROM webhook_delivery WHERE due_at IS NOT NULL GROUP BY 1"
    )
    return dict(rows)
