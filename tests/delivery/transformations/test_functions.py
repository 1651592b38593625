"""Transformations in Python: registered by name, called within a time."""

from __future__ import annotations

import asyncio
import threading
from types import ModuleType

import pytest
from delivery.transformations.test_outgoing import outgoing

from webhook_engine.delivery.transformations.functions import (
    THREADS_EACH,
    Function,
    Functions,
    TransformationError,
    named_in,
    transformation,
)
from webhook_engine.delivery.transformations.outgoing import OutgoingWebhook
from webhook_engine.errors import ConfigError, ValidationError


def ready(webhook: OutgoingWebhook) -> None:
    webhook.payload = {"ready": True}


@pytest.fixture
def functions() -> Functions:
    return Functions({"slack": ready})


async def in_place(webhook: OutgoingWebhook) -> None:
    webhook.payload = {"n": 2}


def another(webhook: OutgoingWebhook) -> OutgoingWebhook:
    return outgoing(payload={"n": 2})


@pytest.mark.parametrize("function", [in_place, another])
async def test_it_changes_what_it_gets_or_returns_another(functions: Functions, function: Function) -> None:
    functions.register("own", function)
    assert (await functions.call("own", outgoing(), 5)).payload == {"n": 2}


async def test_a_name_that_is_ready_may_be_taken_and_no_other_twice(functions: Functions) -> None:
    assert (await functions.call("slack", outgoing(), 5)).payload == {"ready": True}
    functions.register("slack", in_place)
    functions.register("slack", in_place)
    assert (await functions.call("slack", outgoing(), 5)).payload == {"n": 2}
    with pytest.raises(ConfigError, match="two transformations with the name slack"):
        functions.register("slack", another)
    with pytest.raises(ValidationError):
        functions.register("not a name", another)


def test_an_endpoint_chooses_among_those_that_there_are(functions: Functions) -> None:
    functions.register("own", in_place)
    assert functions.names() == ["own", "slack"]
    assert functions.check("transformation", "own") == "own"
    assert functions.check("transformation", None) is None
    with pytest.raises(ValidationError, match="own, slack"):
        functions.check("transformation", "other")


def test_those_of_a_module_are_found_by_their_marks() -> None:
    module = ModuleType("hooks")
    vars(module).update(one=transformation("one")(in_place), unmarked=lambda webhook: None, number=7)
    assert list(named_in(module)) == [("one", in_place)]


async def test_one_that_is_gone_is_a_failure(functions: Functions) -> None:
    with pytest.raises(TransformationError, match="there is no transformation 'gone' here"):
        await functions.call("gone", outgoing(), 5)


def failing(webhook: OutgoingWebhook) -> None:
    raise ValueError("no\nsuch customer")


async def failing_later(webhook: OutgoingWebhook) -> None:
    await asyncio.sleep(0)
    raise TimeoutError("no such customer")


def returning(webhook: OutgoingWebhook) -> int:
    return 7


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (failing, "failed: ValueError: no such customer"),
        (failing_later, "failed: TimeoutError: no such customer"),
        (returning, "must return what it got, or nothing, not int"),
    ],
)
async def test_what_goes_wrong_is_said_in_words(functions: Functions, function: Function, words: str) -> None:
    functions.register("own", function)
    with pytest.raises(TransformationError, match=words) as raised:
        await functions.call("own", outgoing(), 5)
    assert not raised.value.timed_out


async def test_a_coroutine_function_that_takes_too_long_is_cancelled(functions: Functions) -> None:
    ended = asyncio.Event()

    @functions_of(functions, "own")
    async def waiting(webhook: OutgoingWebhook) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TransformationError, match=r"took longer than 0\.01 s") as raised:
        await functions.call("own", outgoing(), 0.01)
    assert raised.value.timed_out
    assert ended.is_set()


def functions_of(functions: Functions, name: str):  # type: ignore[no-untyped-def]
    def register(function: Function) -> Function:
        functions.register(name, function)
        return function

    return register


async def test_plain_functions_that_hang_hold_up_themselves_and_nobody_else(functions: Functions) -> None:
    release = threading.Event()

    @functions_of(functions, "hanging")
    def hanging(webhook: OutgoingWebhook) -> None:
        release.wait(60)

    try:
        calls = [functions.call("hanging", outgoing(), 0.05) for _ in range(3 * THREADS_EACH)]
        failed = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, TransformationError) and one.timed_out for one in failed)
        running = [thread for thread in threading.enumerate() if thread.name == "webhook-engine-transformation"]
        assert len(running) == THREADS_EACH
        functions.register("quick", another)
        assert (await functions.call("quick", outgoing(), 5)).payload == {"n": 2}
    finally:
        release.set()
    functions.register("after", hanging)
    await functions.call("hanging", outgoing(), 5)
