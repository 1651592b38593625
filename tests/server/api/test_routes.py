"""Every method of the official SDK is called once: it gets an answer that it can parse, or a 404 that says why."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin, get_type_hints

import pydantic
import pytest
import svix.models as models
from engines import until
from svix.api import SvixAsync
from svix.api.common import ApiBase
from svix.exceptions import HttpError, HTTPValidationError

MISSING = (
    "authentication.create_poller_token",
    "authentication.get_stream_poller_token",
    "authentication.rotate_poller_token",
    "authentication.rotate_stream_poller_token",
    "authentication.stream_",
    "autoconfig",
    "connector.",
    "ingest.",
    "integration.",
    "streaming.",
)
"""How the names of those begin that only the hosted API has."""

FIFO = {"type": "fifoEndpoint", "config": {"url": "https://127.0.0.1:1/"}}
"""The kind of destination that there is."""

SPECIAL: dict[str, dict[str, Any]] = {
    "destination.create": {"destination_in": models.DestinationIn.model_validate(FIFO)},
    "destination.patch": {"destination_patch": models.DestinationPatch.model_validate(FIFO)},
    "destination.upsert": {"destination_in": models.DestinationIn.model_validate(FIFO)},
    "event_type.create": {"event_type_in": models.EventTypeIn(name="another", description="")},
    "event_type.import_openapi": {
        "event_type_import_open_api_in": models.EventTypeImportOpenApiIn(spec={"webhooks": {"a": {"post": {}}}})
    },
}


def methods_of(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All methods of a client and of the groups in it."""
    for name in sorted(dir(node)):
        if name.startswith("_"):
            continue
        value = getattr(node, name)
        if isinstance(value, ApiBase):
            yield from methods_of(value, f"{path}{name}.")
        elif inspect.iscoroutinefunction(value):
            yield f"{path}{name}", value


def sample(kind: Any, name: str, word: str) -> Any:
    """Some value of a type."""
    origin = get_origin(kind)
    if origin in (list, set):
        return [sample(get_args(kind)[0], name, word)]
    if origin is dict:
        return {}
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        return instance(kind, word)
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return next(iter(kind))  # type: ignore[call-overload]
    if kind is datetime:
        return datetime.now(UTC) - timedelta(minutes=5 if name == "since" else 1)
    plain = {bool: True, int: 1, float: 1.0, dict: {}}
    if kind in plain:
        return plain[kind]
    return "https://example.com/" if "url" in name.lower() else word


def instance(kind: type[pydantic.BaseModel], word: str) -> pydantic.BaseModel:
    """A model with its required fields."""
    values: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if field.is_required():
            values[field.alias or name] = sample(field.annotation, name, word)
    return kind.model_construct(**values) if "config" in values else kind(**values)


def arguments(method: Any, ids: dict[str, str], word: str) -> dict[str, Any]:
    hints = get_type_hints(method)
    given = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            continue
        kind = hints[name]
        given[name] = (ids.get(name) or word) if kind is str else sample(kind, name, word)
    return given


@pytest.fixture
def settings() -> dict[str, object]:
    return {"retry_schedule": ["1h"], "jitter": 0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
async def test_every_method_is_answered(svix: SvixAsync) -> None:
    missing, failed = set(), []
    # The last one ends the token that all are called with.
    methods = sorted(methods_of(svix), key=lambda each: each[0] == "authentication.logout")
    assert len(methods) > 100
    for number, (name, method) in enumerate(methods):
        # Each with things of its own, since some methods delete or revoke them.
        word = f"main{number}"
        ids = await furnish(svix, word)
        given = {**arguments(method, ids, word), **SPECIAL.get(name, {})}
        try:
            await method(**given)
        except HTTPValidationError as error:
            failed.append(f"{name}({given}): {error.detail}")
        except HttpError as error:
            if error.status_code != 404 or "this server does not have it" not in str(error.detail):
                failed.append(f"{name}({given}): {error.status_code} {error.detail}")
            missing.add(name)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is to be told)
            failed.append(f"{name}({given}): {error!r}")
    assert not failed, "\n".join(failed)
    assert {name for name in missing if not name.startswith(MISSING)} == set()


async def furnish(svix: SvixAsync, word: str) -> dict[str, str]:
    """What the methods are about."""
    await svix.application.create(models.ApplicationIn(name="Main", uid=word))
    await svix.event_type.create(
        models.EventTypeIn(name=word, description="", schemas={"1": {"type": "object", "examples": [{}]}})
    )
    endpoint = await svix.endpoint.create(word, models.EndpointIn(url="https://127.0.0.1:1/", uid=word))
    destination = await svix.destination.create(
        word, models.DestinationIn.model_validate({**FIFO, "uid": f"{word}-fifo"})
    )
    message = await svix.message.create(word, models.MessageIn(event_type=word, event_id=word, payload={}))
    await svix.operational_webhook.endpoint.create(
        models.OperationalWebhookEndpointIn(url="https://example.com/", uid=word)
    )
    task = await svix.endpoint.recover(
        word, endpoint.id, models.RecoverIn(since=datetime.now(UTC) - timedelta(minutes=1))
    )

    async def attempts() -> list[models.MessageAttemptOut]:
        return (await svix.message_attempt.list_by_msg(word, message.id)).data

    attempt, *_ = await until(attempts)  # the recovery may have made a second one already
    return {
        "app_id": word,
        "destination_id": destination.id,
        "msg_id": message.id,
        "task_id": task.id,
        "attempt_id": attempt.id,
    }
