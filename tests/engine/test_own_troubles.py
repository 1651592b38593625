"""What the engine itself lacks is nobody's failure: nothing is booked, the delivery waits, and is made soon."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engines import acme, attempts_of, destination, ids_of, local_engine, record_events, send, until
from receivers import Receiver
from stores import query

from webhook_engine import AttemptStatus, ManualClock, StoreUnavailableError
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.request import Destination
from webhook_engine.delivery.http.response import FailureKind, Response
from webhook_engine.delivery.http.sender import Sender
from webhook_engine.delivery.troubles import Lack
from webhook_engine.errors import SecretsUnreadableError

OWN = Response(0, "Too many open files", FailureKind.OWN, 0, lack=Lack.DESCRIPTORS)


class Trouble:
    """Takes the place of the sender as long as it lasts, for some URLs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fault: Response | BaseException = OWN) -> None:
        self.over = False
        self.met: list[str] = []
        self.concerns: Callable[[str], bool] = lambda _: True
        real, trouble = Sender.send, self

        async def send(sender: Sender, destination: Destination, further: str, body: bytes) -> Response:
            url = str(destination.url)
            if trouble.over or not trouble.concerns(url):
                return await real(sender, destination, further, body)
            trouble.met.append(url)
            if isinstance(fault, BaseException):
                raise fault
            return fault

        monkeypatch.setattr(Sender, "send", send)


def booked(path: Path) -> list[tuple]:
    return query(path, "SELECT count(*) FROM webhook_attempt")


@pytest.mark.parametrize(
    ("fault", "lack"),
    [
        (OWN, Lack.DESCRIPTORS),
        (MemoryError(), Lack.MEMORY),
        (OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS)), Lack.MEMORY),
    ],
)
async def test_nothing_is_booked_and_the_delivery_is_made_when_the_trouble_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Response | BaseException, lack: Lack
) -> None:
    path, trouble = tmp_path / "e.db", Trouble(monkeypatch, fault)
    async with Receiver() as receiver, local_engine(path, retry_schedule=[]) as engine:
        events = record_events(engine)
        endpoint = await acme(engine, receiver.url)
        message = await send(engine)
        await until(lambda: len(trouble.met) >= 2)
        assert booked(path) == [(0,)]
        assert engine.measures.troubles.count(lack) >= 2
        assert not engine.measures.attempts
        with pytest.raises(TimeoutError):
            await engine.join(timeout=0.05)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.PENDING, 0)
        assert (await engine.endpoints.get("acme", endpoint.id)).first_failure_at is None
        trouble.over = True
        await engine.join(timeout=20)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.SUCCESS, 1)
        assert ids_of(receiver) == [message]
        assert not [event for event in events if event.type.startswith("message.")]


async def test_it_takes_no_step_of_the_ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = Trouble(monkeypatch)
    clock = ManualClock()
    async with Receiver(500) as receiver, local_engine(tmp_path / "e.db", clock, retry_schedule=["5s"]) as engine:
        await acme(engine, receiver.url)
        trouble.over = True
        message = await send(engine)
        await engine.join(timeout=5)
        trouble.over = False
        clock.advance(5)
        await until(lambda: trouble.met)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.SENDING, 1)
        trouble.over = True
        await engine.join(timeout=20)
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.FAIL, 2)


async def test_a_manual_attempt_waits_too_and_outlives_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, trouble = tmp_path / "e.db", Trouble(monkeypatch)
    async with Receiver() as receiver:
        async with local_engine(path) as engine:
            endpoint = await acme(engine, receiver.url)
            trouble.over = True
            message = await send(engine)
            await engine.join(timeout=5)
            trouble.over = False
            await engine.attempts.resend("acme", message, endpoint.id)
            await until(lambda: trouble.met)
        assert booked(path) == [(1,)]
        trouble.over = True
        async with local_engine(path) as engine:
            await engine.join(timeout=20)
            assert [attempt.trigger_type for attempt in await attempts_of(engine, message)] == [0, 1]


async def test_what_one_endpoint_meets_does_not_delay_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = Trouble(monkeypatch)
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        trouble.concerns = lambda url: "sick" in url
        await acme(engine, receiver.url + "?sick")
        await engine.applications.create(name="Well", uid="well")
        await engine.endpoints.create("well", url=receiver.url)
        for number in range(20):
            await send(engine, number)
        await until(lambda: trouble.met)
        for number in range(20):
            await send(engine, number, application="well")
        await receiver.wait_for(20, timeout=5)
        assert len(trouble.met) < 20, "one at a time is tried, and then none for a while"


async def test_many_lanes_that_lack_something_do_not_spin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = Trouble(monkeypatch)
    async with local_engine(tmp_path / "e.db", shutdown_grace="0s") as engine:
        await engine.applications.create(name="Acme", uid="acme")
        for number in range(40):
            await engine.endpoints.create("acme", url=f"http://127.0.0.1:9/{number}")
        for number in range(5):
            await send(engine, number)
        await until(lambda: len(set(trouble.met)) == 40)
        seen = len(trouble.met)
        await asyncio.sleep(2)
        # Each lane tries two at once, after 0.5 s and after one more second; without a pause it would be thousands.
        assert len(trouble.met) - seen <= 40 * 2 * 4


async def test_a_signing_key_that_cannot_be_opened_is_no_failure_of_the_endpoint(
    tmp_path: Path,
) -> None:
    path = tmp_path / "e.db"
    async with Receiver() as receiver, local_engine(path) as engine:
        await acme(engine, receiver.url)

        async def unreadable(_: str) -> object:
            raise SecretsUnreadableError("encrypted with another main secret")

        targets = engine._flow._dispatcher._targets
        load = targets.load
        targets.load = unreadable  # type: ignore[method-assign, assignment]
        message = await send(engine)
        await until(lambda: engine.measures.troubles.count(Lack.SECRETS) >= 2)
        assert booked(path) == [(0,)]
        targets.load = load  # type: ignore[method-assign]
        await engine.join(timeout=20)
        assert ids_of(receiver) == [message]


async def test_a_key_that_cannot_sign_is_no_failure_of_the_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.db"
    sign = Target.header_lines

    def broken(*_: object) -> str:
        raise ValueError("no such key")

    monkeypatch.setattr(Target, "header_lines", broken)
    async with Receiver() as receiver, local_engine(path) as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await until(lambda: engine.measures.troubles.count(Lack.SECRETS))
        assert booked(path) == [(0,)]
        monkeypatch.setattr(Target, "header_lines", sign)
        await engine.join(timeout=20)
        assert ids_of(receiver) == [message]


@contextmanager
def refusing(deliveries: object, name: str, fault: Exception) -> Iterator[list[int]]:
    """One of the ways to read deliveries fails meanwhile; what is given grows with each try."""
    asked: list[int] = []

    async def refuse(*_: object, **__: object) -> object:
        asked.append(1)
        raise fault

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, name, refuse)
        yield asked


@pytest.mark.parametrize("fault", [MemoryError(), StoreUnavailableError("disk I/O error")])
async def test_a_database_that_cannot_give_the_payload_is_no_failure_of_the_endpoint(
    tmp_path: Path, fault: Exception
) -> None:
    path = tmp_path / "e.db"
    async with Receiver([500, 200]) as receiver, local_engine(path, retry_schedule=["100ms"]) as engine:
        await acme(engine, receiver.url)
        with refusing(engine._store.deliveries, "due", fault) as asked:
            message = await send(engine)
            await until(lambda: booked(path) == [(1,)])
            before = len(asked)
            await until(lambda: len(asked) >= before + 2)
            assert booked(path) == [(1,)]
        await engine.join(timeout=20)
        await until(lambda: len(receiver.requests) == 2)
        await engine.join(timeout=20)
        assert (await destination(engine, message)).status is AttemptStatus.SUCCESS


@pytest.mark.parametrize("fault", [MemoryError(), StoreUnavailableError("disk I/O error")])
async def test_a_batch_that_cannot_be_read_waits(
    tmp_path: Path, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url, ordering="fifo", batch_size=5)
        with refusing(engine._store.deliveries, "first_in_order", fault) as asked:
            message = await send(engine)
            await until(lambda: len(asked) >= 2)
        await receiver.wait_for(1)
        await engine.join(timeout=20)
        assert (await destination(engine, message)).status is AttemptStatus.SUCCESS
    assert "attempt.broken" not in caplog.text
    assert "lane.waiting" in caplog.text


async def test_an_edit_ends_the_waiting_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = Trouble(monkeypatch)
    trouble.concerns = lambda url: "sick" in url
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        endpoint = await acme(engine, receiver.url + "?sick")
        await send(engine)
        await until(lambda: len(trouble.met) >= 3)
        await engine.endpoints.update("acme", endpoint.id, url=receiver.url)
        await receiver.wait_for(1, timeout=1)


async def test_a_message_for_which_there_is_no_memory_is_refused_and_the_engine_goes_on(tmp_path: Path) -> None:
    async with Receiver() as receiver, local_engine(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        add = engine._store.messages.add

        async def starving(_: object) -> object:
            raise MemoryError

        engine._store.messages.add = starving  # type: ignore[method-assign, assignment]
        with pytest.raises(StoreUnavailableError, match="not enough memory"):
            await send(engine)
        engine._store.messages.add = add  # type: ignore[method-assign]
        message = await send(engine)
        await engine.join(timeout=20)
        assert ids_of(receiver) == [message]
