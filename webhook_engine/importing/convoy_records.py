"""Converts Convoy's records to records for the import. Pure.

The endpoints of a project with the same owner become one application; those without an owner become one for the
project. In Convoy, subscriptions say what an endpoint gets. The API and the tables have the same names for nearly
everything.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from webhook_engine.importing.conversion import (
    allowed_headers,
    as_rate,
    as_secret,
    as_time,
    as_uid,
    duration,
    message_id,
)
from webhook_engine.importing.filters import FILTER_TAKEN_OVER, InexpressibleError, convoy_filter
from webhook_engine.importing.source import Item, Note, SourceError
from webhook_engine.resources.imported import (
    ImportedApplication,
    ImportedEndpoint,
    ImportedEventType,
    ImportedKey,
    ImportedMessage,
)
from webhook_engine.rules.names import is_name

__all__ = ["application", "endpoint", "event_type", "messages", "owner_uid", "project_notes", "require_outgoing"]

Object = Mapping[str, Any]

ALL = "*"

_NOTED = {
    "slack_webhook_url": "endpoint tells Slack of its troubles; here operational webhooks and the portal tell",
    "support_email": "endpoint has an address to write to about its troubles; here operational webhooks tell",
    "mtls_client_cert": "endpoint has a client certificate, which there is no counterpart of",
}


def require_outgoing(project: Object) -> None:
    """Raises ``SourceError`` for a project that receives webhooks instead of sending them."""
    if project.get("type") == "incoming":
        raise SourceError(
            f"the project {project.get('name')!r} is an incoming one: it receives webhooks, and this engine sends them"
        )


def project_notes(project: Object) -> Iterator[Item]:
    """Notes about settings of the whole project."""
    uid = str(project.get("uid") or project.get("id"))
    yield Note(
        "signatures are made after Standard Webhooks here (webhook-signature), and not as Convoy makes them: consumers "
        "have to verify anew, with the same secrets where they are long enough",
        uid,
    )
    yield Note("retry and rate settings of a project are delivery.retry_schedule and throttle rates here", uid)


def owner_uid(found: Object, project_id: str) -> str:
    """The uid of the application of an endpoint."""
    return as_uid(str(found.get("owner_id") or project_id), "app_")


def application(found: Object, project: Object, project_id: str) -> ImportedApplication:
    """The application of an endpoint."""
    owner = found.get("owner_id")
    return ImportedApplication(
        uid=owner_uid(found, project_id),
        name=str(owner or project.get("name") or project_id),
        created_at=as_time(project.get("created_at")),
    )


def event_type(found: Object) -> Iterator[Item]:
    """An event type; the wildcard for all event types is skipped."""
    name = str(found["name"])
    if name == ALL:
        return
    schema, category = found.get("json_schema"), str(found.get("category") or "")
    if category and not is_name(category):
        yield Note("event type has a category that is no name here (letters, digits, '-', '_', '.')", name)
    yield ImportedEventType(
        name=name,
        description=str(found.get("description") or ""),
        deprecated=as_time(found.get("deprecated_at")) is not None,
        schemas={"1": schema} if isinstance(schema, dict) and schema else None,
        group_name=category if is_name(category) else None,
    )


def endpoint(found: Object, subscriptions: Sequence[Object], project_id: str) -> Iterator[Item]:
    """An endpoint with its subscriptions, preceded by notes of what cannot be imported."""
    uid = str(found.get("uid") or found["id"])
    for column, text in _NOTED.items():
        if found.get(column):
            yield Note(text, uid)
    subscribed = [one for one in subscriptions if one.get("type") != "cli"]
    event_types = sorted({name for one in subscribed for name in _event_types(one)})
    yield from _subscription_notes(uid, subscribed)
    options: dict[str, object] = {}
    for one in _filter_of_all(uid, subscribed):
        if isinstance(one, Note):
            yield one
        else:
            options["filter"] = one
    current, old_keys = _secrets(found)
    secret = as_secret(current)
    if secret is None:
        yield Note(
            "signing secret is shorter than 24 or longer than 75 bytes, or missing: a new one is made, which the "
            "consumer needs",
            uid,
        )
    kept_keys = [ImportedKey(secret=key, expires_at=until) for text, until in old_keys if (key := as_secret(text))]
    headers, problems = _authentication(found)
    yield from (Note(problem, uid) for problem in problems)
    rate = as_rate(found.get("rate_limit"), duration(found.get("rate_limit_duration")) or 1.0)
    if rate is not None and rate > float(found["rate_limit"]) / (duration(found.get("rate_limit_duration")) or 1.0):
        yield Note("rate limit is rounded up to whole messages per second", uid)
    name, description = (str(found.get(key) or "") for key in ("name", "description"))
    name = name or str(found.get("title") or "")
    yield ImportedEndpoint(
        application=owner_uid(found, project_id),
        uid=as_uid(uid, "ep_"),
        url=str(found.get("url") or found.get("target_url") or ""),
        description=": ".join(text for text in (name, description) if text),
        event_types=None if not event_types or ALL in event_types else tuple(event_types),
        throttle_rate=rate,
        disabled=found.get("status") in ("inactive", "paused") or not subscribed,
        secret=secret,
        old_keys=tuple(sorted(kept_keys, key=lambda one: one.expires_at, reverse=True)),
        headers=headers,
        options=options,
        created_at=as_time(found.get("created_at")),
    )


def messages(found: Object, owners: Mapping[str, str], data: bytes) -> Iterator[Item]:
    """One message from an event for each application that has one of its endpoints."""
    uid = str(found.get("uid") or found["id"])
    created_at = as_time(found.get("created_at"))
    if created_at is None or not data:
        yield Note("event has no payload or no time, and is left out", uid)
        return
    for owner in sorted({owners[one] for one in _endpoint_ids(found.get("endpoints")) if one in owners}):
        yield ImportedMessage(
            application=owner,
            id=message_id(created_at, "convoy", uid, owner),
            event_type=str(found["event_type"]),
            payload=data,
            event_id=as_uid(uid, "msg_"),
        )


def _endpoint_ids(value: object) -> list[str]:
    """The ids from a list, or from the text of a PostgreSQL array (``{a,b}``)."""
    if isinstance(value, str):
        return [one.strip('"') for one in value.strip("{}").split(",") if one]
    return [str(one) for one in value] if isinstance(value, list) else []


def _event_types(subscription: Object) -> list[str]:
    config = subscription.get("filter_config") or {}
    names = config.get("event_types") if config else subscription.get("filter_config_event_types")
    return [str(name) for name in names or [ALL]]


def _subscription_notes(uid: str, subscriptions: Sequence[Object]) -> Iterator[Item]:
    if not subscriptions:
        yield Note("endpoint has no subscription, so it got nothing; it is taken over disabled", uid)
    for one in subscriptions:
        if any(_filter(one, part) for part in ("headers", "query", "path")):
            yield Note("endpoint filters by headers, query or path, which has no counterpart: it is not looked at", uid)
        if one.get("function"):
            yield Note("endpoint has a transformation, which there is no counterpart of: it gets what was sent", uid)
        retry = one.get("retry_config") or {}
        if retry.get("retry_count") or one.get("retry_config_retry_count"):
            yield Note("endpoint has retries of its own; delivery.retry_schedule is for all", uid)


def _filter(subscription: Object, part: str) -> Object:
    """The filter of a subscription on a part of the event; empty if it has none."""
    config = subscription.get("filter_config") or {}
    said = (config.get("filter") or {}).get(part) or subscription.get(f"filter_config_filter_{part}")
    return said if isinstance(said, dict) else {}


def _filter_of_all(uid: str, subscriptions: Sequence[Object]) -> Iterator[dict[str, object] | Note]:
    """The filter on payloads, if all subscriptions have the same; and a note about it."""
    bodies = [_filter(one, "body") for one in subscriptions]
    if not any(bodies):
        return
    if any(body != bodies[0] for body in bodies):
        text = "endpoint has subscriptions with different filters on payloads, and one filter here: it gets them all"
        yield Note(text, uid)
        return
    try:
        yield convoy_filter(bodies[0])
        yield Note(FILTER_TAKEN_OVER, uid)
    except InexpressibleError as error:
        yield Note(f"endpoint has a filter on payloads that cannot be said here ({error}): it gets them all", uid)


def _secrets(found: Object) -> tuple[str | None, list[tuple[str, datetime]]]:
    """The current secret, and the expiring ones with their expiry times."""
    current, old = None, []
    for one in found.get("secrets") or ():
        if as_time(one.get("deleted_at")) is not None:
            continue
        expires_at = as_time(one.get("expires_at"))
        if expires_at is None:
            current = current or one.get("value")
        else:
            old.append((str(one.get("value") or ""), expires_at))
    return current, old


def _authentication(found: Object) -> tuple[dict[str, str], list[str]]:
    """The headers that authenticate the sender, and problems with what cannot be imported."""
    given = found.get("authentication") or {}
    kind = given.get("type") or found.get("authentication_type")
    headers: dict[str, str] = {}
    if kind == "api_key":
        key = given.get("api_key") or {}
        name = key.get("header_name") or found.get("authentication_type_api_key_header_name")
        value = key.get("header_value") or found.get("authentication_type_api_key_header_value")
        headers = {str(name): str(value or "")} if name else {}
    elif kind == "basic_auth":
        basic = given.get("basic_auth") or found.get("basic_auth_config") or {}
        pair = f"{basic.get('username', '')}:{basic.get('password', '')}"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    kept, left = allowed_headers(headers)
    problems = [f"header of an endpoint cannot be sent from here: {problem}" for problem in left.values()]
    if kind not in ("api_key", "basic_auth", "", None):
        problems.append(f"endpoint asks for {kind} of the sender, which there is no counterpart of")
    return kept, problems
