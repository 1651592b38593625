"""Whatever a caller passes, the answer is a value or an error of ours, never a crash."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import pytest

from webhook_engine import Engine, WebhookEngineError

ODD = [
    None,
    True,
    0,
    -1,
    1.5,
    10**5000,
    "",
    "\x00",
    "\ud800",
    "x" * 5000,
    b"bytes",
    [],
    [None],
    ["\ud800"],
    [["a"]],
    {},
    {"a": None},
    {"\ud800": "\ud800"},
    {1: 2},
    {"a", 1},
    object(),
    float("nan"),
]

METHODS = [
    *(("applications", name) for name in ["create", "get_or_create", "get", "list", "update", "delete"]),
    *(("event_types", name) for name in ["create", "get", "list", "update", "delete"]),
    *(("endpoints", name) for name in ["create", "get", "list", "update", "delete", "enable", "disable", "get_secret"]),
    *(("endpoints", name) for name in ["rotate_secret", "get_headers", "set_headers", "patch_headers", "send_example"]),
    *(("endpoints", name) for name in ["recover", "replay_missing", "stats", "bulk_replay", "cancel_pending"]),
    *(("messages", name) for name in ["create", "get", "list", "expunge_content", "cancel"]),
    *(("messages", name) for name in ["expunge_contents", "expunge_all_contents", "poll"]),
    *(("attempts", name) for name in ["get", "list_by_endpoint", "list_by_message", "list_attempted_messages"]),
    *(("attempts", name) for name in ["list_attempted_destinations", "resend", "expunge_content"]),
    *(("tasks", name) for name in ["get", "list", "count_usage", "list_used_event_types"]),
]

SENSIBLE: dict[str, object] = {
    "application": "acme",
    "endpoint": "main",
    "message": "m1",
    "name": "a",
    "url": "http://h",
    "event_type": "svix.ping",
    "payload": {},
    "attempt_id": "atmpt_1",
    "task_id": "qtask_1",
    "headers": {},
    "changes": {},
}


@pytest.mark.parametrize(("manager", "method"), METHODS)
async def test_an_odd_value_never_crashes(engine: Engine, manager: str, method: str) -> None:
    call: Callable[..., Awaitable[object]] = getattr(getattr(engine, manager), method)
    parameters = inspect.signature(call).parameters
    needed = {
        name: SENSIBLE.get(name) for name, parameter in parameters.items() if parameter.default is parameter.empty
    }
    for name in parameters:
        for odd in ODD:
            await prepare(engine)
            error = await error_of(call(**{**needed, name: odd}))
            assert len(str(error)) < 400, (name, type(odd))


async def error_of(call: Awaitable[object]) -> WebhookEngineError | None:
    try:
        await call
    except WebhookEngineError as error:
        return error
    return None


async def prepare(engine: Engine) -> None:
    """Put back what a call may have deleted or renamed."""
    await engine.applications.get_or_create(name="Acme", uid="acme")
    try:
        await engine.endpoints.get("acme", "main")
    except WebhookEngineError:
        await engine.endpoints.create("acme", url="http://127.0.0.1:9/", uid="main", disabled=True)
    try:
        await engine.messages.get("acme", "m1")
    except WebhookEngineError:
        await engine.messages.create("acme", event_type="a", payload={}, event_id="m1")
