"""Errors survive what happens to them on their way through other people's programs."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

import pytest

import webhook_engine
from webhook_engine import ValidationError, Webhook, WebhookEngineError, WebhookVerificationError


def _kinds() -> list[type[WebhookEngineError]]:
    for module in pkgutil.walk_packages(webhook_engine.__path__, "webhook_engine."):
        if ".django" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted(_below(WebhookEngineError), key=lambda kind: (kind.__module__, kind.__qualname__))


def _below(kind: type[WebhookEngineError]) -> Iterator[type[WebhookEngineError]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("webhook_engine"):
            yield one
            yield from _below(one)


def _example(kind: type[WebhookEngineError]) -> WebhookEngineError:
    """One with a value for each argument, as its annotation says."""
    values = {
        "timedelta": timedelta(seconds=7),
        "int": 7,
        "str": "seven",
        "str | None": "seven",
        "object": "seven",
        "Sequence[str]": ("seven",),
        "Collection[str]": ("seven",),
    }
    wanted = [
        one for one in inspect.signature(kind.__init__).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD
    ][1:]
    return kind(*(values[one.annotation] for one in wanted)) if wanted else kind("what was wrong")


WAYS: list[Callable[[WebhookEngineError], WebhookEngineError]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)),  # type: ignore[misc]
]


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: kind.__qualname__)
def test_every_error_survives_pickling_and_copying(kind: type[WebhookEngineError]) -> None:
    error = _example(kind)
    error.add_note("in the order of Monday")
    for way in WAYS:
        again = way(error)
        assert type(again) is kind
        assert (str(again), again.args) == (str(error), error.args)
        assert vars(again) == vars(error)
        with pytest.raises(kind):
            raise again


def test_there_are_errors_of_all_corners() -> None:
    assert len(_kinds()) > 20
    assert issubclass(WebhookVerificationError, WebhookEngineError)


def test_an_error_comes_back_from_a_process_pool() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(WebhookVerificationError, match="header") as missing:
            pool.submit(verify_nothing).result(timeout=100)
        assert missing.value.header == "webhook-id"
        with pytest.raises(ValidationError) as refused:
            pool.submit(_refuse).result(timeout=100)
        assert (refused.value.field, refused.value.problem) == ("name", "is taken by nobody")


def verify_nothing() -> object:
    return Webhook("whsec_" + "A" * 32).verify(b"{}", {})


def _refuse() -> None:
    raise ValidationError("name", "is taken by nobody")
