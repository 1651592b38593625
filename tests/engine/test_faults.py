"""Receivers, disks and databases misbehave: a recorded attempt or a clear error, nothing lost, and on it goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest
import receivers
from engines import Answers, acme, attempts_of, destination, ids_of, local_engine, send, send_many, until
from receivers import Receiver
from stores import query

from webhook_engine import AttemptStatus, Engine

Fault = Callable[[], AbstractAsyncContextManager]

FAILING: dict[str, tuple[Fault, int, str]] = {
    "refused": (receivers.refusing, 0, "refused"),
    "not accepting": (receivers.silent, 0, "time"),
    "reset": (receivers.resetting, 0, "reset"),
    "reset in the headers": (receivers.resetting_within_headers, 0, "reset|closed|headers"),
    "closed in the headers": (receivers.cutting_headers, 0, "closed|ended|headers"),
    "silent": (receivers.hanging, 0, "time"),
    "not HTTP": (receivers.malformed, 0, "HTTP"),
    "huge headers": (receivers.huge_headers, 0, "headers are larger than 256 kB"),
    "100 Continue for ever": (receivers.continuing_endlessly, 0, "time|100"),
    "101": (receivers.switching_protocols, 101, "101|protocol|hello"),
    "expired certificate": (lambda: receivers.tls("expired"), 0, "certificate"),
    "self-signed certificate": (lambda: receivers.tls("self-signed"), 0, "certificate"),
    "redirect": (lambda: receivers.redirecting("http://127.0.0.1:1/"), 302, "moved|redirect"),
    "404": (lambda: Receiver(404), 404, "ok"),
}

FINE: dict[str, tuple[Fault, str]] = {
    "100 Continue once": (receivers.continuing_once, "ok"),
    "gzip bomb": (receivers.gzip_bomb, ""),
    "invalid UTF-8": (receivers.invalid_utf8, ""),
    "NUL": (receivers.nul_body, ""),
    "reset in the body": (receivers.resetting_within_body, "its body broke off: Connection reset by peer"),
    "closed in the body": (receivers.short_body, "its body broke off: it ended too soon"),
    "trickling body": (lambda: receivers.trickling(0.01), "its body did not end within 2 s"),
}


@contextmanager
def no_flood(limit_mib: int = 60) -> Iterator[None]:
    """The process must not grow by more than this."""
    before = rss_mib()
    yield
    assert rss_mib() - before < limit_mib


def rss_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("name", FAILING)
async def test_a_fault_of_the_receiver_is_a_failed_attempt_with_a_useful_text(tmp_path: Path, name: str) -> None:
    fault, status_code, words = FAILING[name]
    async with fault() as faulty, local_engine(tmp_path / "e.db", timeout="500ms") as engine:
        await acme(engine, faulty if isinstance(faulty, str) else faulty.url)
        message = await send(engine)
        begun = time.perf_counter()
        with no_flood():
            await engine.join(timeout=10)
        assert time.perf_counter() - begun < 5
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.FAIL
        assert (attempt.response_status_code, name) == (status_code, name)
        assert any(word.lower() in attempt.response.lower() for word in words.split("|")), attempt.response
        end = await destination(engine, message)
        assert (end.status, end.attempt_count) == (AttemptStatus.SENDING, 1)


@pytest.mark.parametrize("name", FINE)
async def test_an_odd_success_is_a_success(tmp_path: Path, name: str) -> None:
    fault, text = FINE[name]
    async with fault() as odd, local_engine(tmp_path / "e.db", timeout="2s") as engine:
        await acme(engine, odd.url)
        message = await send(engine)
        with no_flood():
            await engine.join(timeout=10)
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.SUCCESS
        assert text in attempt.response
        # What is no text is kept as base64.
        assert len(attempt.response) <= 27_000


async def test_an_endless_body_is_cut_and_does_not_hold_the_engine(tmp_path: Path) -> None:
    async with receivers.endless_body(500) as endless, local_engine(tmp_path / "e.db", timeout="1s") as engine:
        await acme(engine, endless.url)
        message = await send(engine)
        with no_flood():
            await engine.join(timeout=10)
        [attempt] = await attempts_of(engine, message)
        assert attempt.status is AttemptStatus.FAIL
        assert len(attempt.response) <= 20_000


async def test_a_name_that_does_not_resolve_is_a_failed_attempt(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await acme(engine, "http://no-such-host.invalid/")
        message = await send(engine)
        await engine.join(timeout=15)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.status, attempt.response_status_code) == (AttemptStatus.FAIL, 0)
        assert "no-such-host.invalid" in attempt.response


async def test_a_private_address_is_a_failed_attempt_that_says_that_it_is_blocked(tmp_path: Path) -> None:
    async with Receiver() as receiver, Engine.open(tmp_path / "e.db") as engine:
        await acme(engine, receiver.url)
        message = await send(engine)
        await engine.join(timeout=5)
        [attempt] = await attempts_of(engine, message)
        assert (attempt.status, attempt.response_status_code) == (AttemptStatus.FAIL, 0)
        assert "blocked" in attempt.response
        assert not receiver.requests


async def test_a_storm_of_500s_loses_nothing_and_ends_in_success(tmp_path: Path) -> None:
    answers = Answers(500)
    async with Receiver(answers) as receiver, local_engine(tmp_path / "e.db", retry_schedule=["100ms"] * 50) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 300)
        await until(lambda: len(receiver.requests) > 400)
        answers.status = 200

        async def all_there() -> bool:
            return query(tmp_path / "e.db", "SELECT count(*) FROM webhook_delivery WHERE status <> 0") == [(0,)]

        await until(all_there, timeout=20)
        assert set(ids_of(receiver)) == set(messages)


async def test_a_receiver_that_comes_back_gets_everything(tmp_path: Path) -> None:
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    async with local_engine(tmp_path / "e.db", retry_schedule=["100ms"] * 100) as engine:
        await acme(engine, receiver.url)
        messages = await send_many(engine, 50)
        await receiver.start()
        try:
            await until(lambda: set(ids_of(receiver)) == set(messages), timeout=10)
            await engine.join(timeout=10)
        finally:
            await receiver.stop()
        assert len(receiver.requests) == 50
