"""Endpoint operations besides editing, on the wire: secret, headers, statistics, manual sending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from webhook_engine.errors import ExampleUnavailableError, ValidationError
from webhook_engine.model import Task
from webhook_engine.rules import headers as header_rules
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.limits import DEFAULT_GRACE, MAX_GRACE
from webhook_engine.server.api import checks
from webhook_engine.server.api.client_libraries import reads_rotated_key
from webhook_engine.server.api.endpoints import header_problems, secret_problems
from webhook_engine.server.api.messages import MessageOut, Payload
from webhook_engine.server.api.messages import shown as message_shown
from webhook_engine.server.api.payloads import payload_problems
from webhook_engine.server.api.query import NoQuery, Query
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Reply, Route
from webhook_engine.server.api.spans import SinceUntilIn
from webhook_engine.server.errors import ApiError, Problem

__all__ = ["ROUTES", "TaskStartedOut", "started"]


class EndpointSecretOut(Out, frozen=True, kw_only=True):
    """The secret with which the consumer verifies signatures."""

    key: str


class ReplacedSecretOut(Out, frozen=True, kw_only=True):
    """A replaced secret that is still used to sign."""

    key: str
    expires_at: datetime
    """When it is no longer used to sign."""


class EndpointSecretsOut(Out, frozen=True, kw_only=True):
    """The current secret, and the replaced ones that still sign, newest first."""

    key: str
    replaced: Sequence[ReplacedSecretOut]


class EndpointSecretRotateIn(In, frozen=True, kw_only=True):
    """How to rotate a secret."""

    key: str | None = None
    grace_period_seconds: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from secret_problems(self.key)
        if self.grace_period_seconds is not None and timedelta(seconds=self.grace_period_seconds) > MAX_GRACE:
            yield Problem(("body", "grace_period_seconds"), f"Duration must be between 0 and {MAX_GRACE.days} days")


class EndpointHeadersOut(Out, frozen=True, kw_only=True):
    """The endpoint's own headers; sensitive ones by name only."""

    headers: Mapping[str, str]
    sensitive: Sequence[str]


class EndpointHeadersIn(In, frozen=True, kw_only=True):
    """The endpoint's new headers, all of them."""

    headers: dict[str, str]

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from header_problems(self.headers)


class EndpointHeadersPatchIn(In, frozen=True, kw_only=True):
    """Changes of headers; null removes a header, and so does its name in ``deleteHeaders``."""

    headers: dict[str, str | None]
    delete_headers: list[str] | None = None

    def changes(self) -> dict[str, str | None]:
        """Both kinds of changes in one mapping."""
        return {**dict.fromkeys(self.delete_headers or ()), **self.headers}

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        try:
            header_rules.changed("headers", {}, self.changes())
        except ValidationError as error:
            yield Problem(("body", "headers", "__all__"), str(error))


class AuthenticationTrialOut(Out, frozen=True, kw_only=True):
    """The result of an authentication test."""

    problem: str | None
    """Why there is no access token; null if there is one, or none is needed."""
    token_life_seconds: int | None
    message_id: str | None
    """The example message, whose attempt has the receiver's response; null if none was sent."""


class EndpointStatsQuery(Query, frozen=True, kw_only=True):
    """The span of time to count in."""

    since: datetime | None = None
    until: datetime | None = None


class EndpointStatsOut(Out, frozen=True, kw_only=True):
    """The number of attempts."""

    success: int
    pending: int
    sending: int
    fail: int
    canceled: int


class EventExampleIn(In, frozen=True, kw_only=True):
    """Which example to send."""

    event_type: str
    example_index: Annotated[int, Meta(ge=0, le=1000)] | None = None
    payload: Payload = msgspec.field(default_factory=msgspec.Raw)
    """Replaces the payload of the example."""

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        yield from checks.event_type(("body", "event_type"), self.event_type)
        if self.payload:
            yield from payload_problems(bytes(self.payload))


class TaskStartedOut(Out, frozen=True, kw_only=True):
    """A background task that was started."""

    id: str
    status: str
    task: str
    updated_at: datetime


def started(task: Task) -> TaskStartedOut:
    """A task that was just started, as clients see it."""
    return TaskStartedOut(id=task.id, status=task.status.value, task=task.task, updated_at=task.updated_at)


async def get_secret(call: Call[NoQuery, NoBody]) -> Out:
    """Get the signing secret; for an Ed25519 endpoint, the public key."""
    return EndpointSecretOut(
        key=await call.organization.endpoints.get_secret(call.application.id, call.parameters["endpoint_id"])
    )


async def get_secrets(call: Call[NoQuery, NoBody]) -> Out:
    """List the secrets that sign messages, several of them during a rotation."""
    where = call.application.id, call.parameters["endpoint_id"]
    replaced = await call.organization.endpoints.replaced_secrets(*where)
    return EndpointSecretsOut(
        key=await call.organization.endpoints.get_secret(*where),
        replaced=[ReplacedSecretOut(key=each.secret, expires_at=each.expires_at) for each in replaced],
    )


async def rotate_secret(call: Call[NoQuery, EndpointSecretRotateIn]) -> Out | Reply:
    """Rotate the signing secret; the replaced one still signs during the grace period.

    The response has the new key, except for client libraries that throw on a body here: they get 204 without one.
    """
    grace = call.body.grace_period_seconds
    key = await call.organization.endpoints.rotate_secret(
        call.application.id,
        call.parameters["endpoint_id"],
        call.body.key,
        DEFAULT_GRACE if grace is None else timedelta(seconds=grace),
    )
    return EndpointSecretOut(key=key) if reads_rotated_key(call.client.user_agent) else Reply(204, None)


async def get_headers(call: Call[NoQuery, NoBody]) -> Out:
    """Get the endpoint's headers, without the values of sensitive ones."""
    found = await call.organization.endpoints.get_headers(call.application.id, call.parameters["endpoint_id"])
    return EndpointHeadersOut(headers=found.headers, sensitive=found.sensitive)


async def put_headers(call: Call[NoQuery, EndpointHeadersIn]) -> None:
    """Replace all headers."""
    await call.organization.endpoints.set_headers(
        call.application.id, call.parameters["endpoint_id"], call.body.headers
    )


async def patch_headers(call: Call[NoQuery, EndpointHeadersPatchIn]) -> None:
    """Change some headers."""
    await call.organization.endpoints.patch_headers(
        call.application.id, call.parameters["endpoint_id"], call.body.changes()
    )


async def get_stats(call: Call[EndpointStatsQuery, NoBody]) -> Out:
    """Count attempts in a span of at most 28 days."""
    try:
        stats = await call.organization.endpoints.stats(
            call.application.id, call.parameters["endpoint_id"], call.query.since, call.query.until
        )
    except ValidationError as error:
        raise ApiError(400, "invalid_range", error.problem) from error
    return EndpointStatsOut(**msgspec.structs.asdict(stats))


async def send_example(call: Call[NoQuery, EventExampleIn]) -> Out:
    """Send an example, or the given payload, to this endpoint only, whatever its filters."""
    return await _send_example(call, call.parameters["endpoint_id"])


async def send_example_to_all(call: Call[NoQuery, EventExampleIn]) -> Out:
    """Send an example, or the given payload, to all endpoints that would get such a message."""
    return await _send_example(call, None)


async def _send_example(call: Call[NoQuery, EventExampleIn], endpoint_id: str | None) -> Out:
    try:
        message = await call.organization.endpoints.send_example(
            call.application.id,
            endpoint_id,
            call.body.event_type,
            example_index=call.body.example_index or 0,
            payload=bytes(call.body.payload) or None,
        )
    except ExampleUnavailableError as error:
        raise ApiError(
            400, "invalid_scheme", f"Unable to generate example message from event-type schema: {error.problem}"
        ) from error
    return message_shown(message, with_content=False)


async def try_authentication(call: Call[NoQuery, NoBody]) -> Out:
    """Request an access token, and send an example with it."""
    trial = await call.organization.endpoints.try_authentication(call.application.id, call.parameters["endpoint_id"])
    return AuthenticationTrialOut(
        problem=trial.problem, token_life_seconds=trial.token_life_s, message_id=trial.message_id
    )


async def recover(call: Call[NoQuery, SinceUntilIn]) -> Out:
    """Recover the deliveries that failed between `since` and `until`, whenever their messages were created.

    Deliveries that failed for good get a full retry schedule; the next attempt of those that wait for a retry is made
    at once.
    """
    since, until = call.body.bounds()
    endpoint_id = call.parameters["endpoint_id"]
    return started(await call.organization.endpoints.recover(call.application.id, endpoint_id, since, until))


async def replay_missing(call: Call[NoQuery, SinceUntilIn]) -> Out:
    """Send the messages that were never scheduled for this endpoint."""
    since, until = call.body.bounds()
    endpoint_id = call.parameters["endpoint_id"]
    return started(await call.organization.endpoints.replay_missing(call.application.id, endpoint_id, since, until))


_ONE = "/app/{app_id}/endpoint/{endpoint_id}"

ROUTES = (
    Route(
        "GET",
        f"{_ONE}/secret",
        get_secret,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_ENDPOINT_SECRET,
        responses={200: EndpointSecretOut},
        summary="Get the signing secret of an endpoint",
        operation="endpoint.get-secret",
    ),
    Route(
        "GET",
        f"{_ONE}/secret/all",
        get_secrets,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_ENDPOINT_SECRET,
        responses={200: EndpointSecretsOut},
        summary="Get the signing secrets of an endpoint, with those that were replaced and still sign",
        operation="endpoint.get-secrets",
    ),
    Route(
        "POST",
        f"{_ONE}/secret/rotate",
        rotate_secret,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT_SECRET,
        body=EndpointSecretRotateIn,
        responses={200: EndpointSecretOut, 204: None},
        fails=(400,),
        summary="Replace the signing secret of an endpoint",
        operation="endpoint.rotate-secret",
    ),
    Route(
        "GET",
        f"{_ONE}/headers",
        get_headers,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: EndpointHeadersOut},
        summary="Get the headers of an endpoint",
        operation="endpoint.get-headers",
    ),
    Route(
        "PUT",
        f"{_ONE}/headers",
        put_headers,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointHeadersIn,
        responses={204: None},
        summary="Replace the headers of an endpoint",
        operation="endpoint.update-headers",
    ),
    Route(
        "PATCH",
        f"{_ONE}/headers",
        patch_headers,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointHeadersPatchIn,
        responses={204: None},
        summary="Change the headers of an endpoint",
        operation="endpoint.patch-headers",
    ),
    Route(
        "GET",
        f"{_ONE}/stats",
        get_stats,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        query=EndpointStatsQuery,
        responses={200: EndpointStatsOut},
        fails=(400,),
        summary="Count the attempts of an endpoint",
        operation="endpoint.get-stats",
    ),
    Route(
        "POST",
        f"{_ONE}/send-example",
        send_example,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=EventExampleIn,
        responses={200: MessageOut},
        fails=(400,),
        summary="Send an example message to an endpoint",
        operation="endpoint.send-example",
    ),
    Route(
        "POST",
        f"{_ONE}/authentication/try",
        try_authentication,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        responses={200: AuthenticationTrialOut},
        summary="Ask for an endpoint's access token, and send it an example",
        operation="endpoint.try-authentication",
    ),
    Route(
        "POST",
        "/app/{app_id}/send-example",
        send_example_to_all,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=EventExampleIn,
        responses={200: MessageOut},
        fails=(400,),
        summary="Send an example message to all endpoints that it matches",
        operation="application.send-example",
    ),
    Route(
        "POST",
        f"{_ONE}/recover",
        recover,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=SinceUntilIn,
        responses={202: TaskStartedOut},
        summary="Send the failed messages of an endpoint again",
        operation="endpoint.recover",
    ),
    Route(
        "POST",
        f"{_ONE}/replay-missing",
        replay_missing,
        auth=Auth.APPLICATION,
        needs=Capability.CREATE_ATTEMPTS,
        body=SinceUntilIn,
        responses={202: TaskStartedOut},
        summary="Send the messages that an endpoint never got",
        operation="endpoint.replay-missing",
    ),
)
