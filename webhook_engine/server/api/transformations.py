"""Transformations on the wire: the consumer's own script, testing it, and the registered functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, Raw, UnsetType

from webhook_engine.errors import ValidationError
from webhook_engine.rules import transformation as rules
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route
from webhook_engine.server.errors import Problem

__all__ = ["ROUTES", "TransformationPatch"]


class TransformationOut(Out, frozen=True, kw_only=True):
    """The script of an endpoint."""

    code: str | None
    enabled: bool
    variables: Mapping[str, str]
    updated_at: datetime | None


class TransformationPatch(In, frozen=True, kw_only=True):
    """Changes of the script; omitted members keep their values, and null removes the code or the variables."""

    code: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    variables: dict[str, str] | UnsetType | None = UNSET

    def problems(self) -> Iterator[Problem]:
        """What is not allowed."""
        for name, check in (("code", rules.code), ("variables", rules.variables)):
            try:
                if (value := getattr(self, name)) is not UNSET:
                    check(name, value)
            except ValidationError as error:
                yield Problem(("body", name), error.problem)


class SimulateIn(In, frozen=True, kw_only=True):
    """A script, and a webhook to test it on."""

    code: str
    event_type: str
    payload: Raw
    variables: dict[str, str] | None = None
    """Null: those of the endpoint."""


class SimulateOut(Out, frozen=True, kw_only=True):
    """The result of running a script on a webhook."""

    url: str | None
    method: str | None
    payload: str | None
    headers: Mapping[str, str]
    """The headers that the script sets."""
    cancelled: bool
    logs: Sequence[str]
    """What the script wrote to its console."""
    problem: str | None
    """Why the result cannot be sent; null if it can."""


class TransformationNamesOut(Out, frozen=True, kw_only=True):
    """The names that an endpoint may choose as its ``transformation``."""

    names: Sequence[str]
    scripts: bool
    """Whether consumers may write their own scripts."""


async def get_transformation(call: Call[NoQuery, NoBody]) -> Out:
    """Get the script of an endpoint."""
    script = await call.organization.endpoints.get_transformation(call.application.id, call.parameters["endpoint_id"])
    return TransformationOut(
        code=script.code, enabled=script.enabled, variables=script.variables, updated_at=script.updated_at
    )


async def patch_transformation(call: Call[NoQuery, TransformationPatch]) -> None:
    """Change the script of an endpoint."""
    body = call.body
    await call.organization.endpoints.patch_transformation(
        call.application.id,
        call.parameters["endpoint_id"],
        code=body.code,
        enabled=body.enabled,
        variables=body.variables,
    )


async def simulate(call: Call[NoQuery, SimulateIn]) -> Out:
    """Test a script; nothing is sent."""
    body = call.body
    trial = await call.organization.endpoints.simulate_transformation(
        call.application.id,
        call.parameters["endpoint_id"],
        code=body.code,
        event_type=body.event_type,
        payload=bytes(body.payload),
        variables=body.variables,
    )
    return SimulateOut(
        url=trial.url,
        method=trial.method,
        payload=trial.payload,
        headers=trial.headers,
        cancelled=trial.cancelled,
        logs=trial.logs,
        problem=trial.problem,
    )


async def list_names(call: Call[NoQuery, NoBody]) -> Out:
    """List the registered functions, and whether scripts are allowed."""
    flow = call.context.services.flow
    return TransformationNamesOut(names=flow.functions.names(), scripts=flow.scripts is not None)


_ONE = "/app/{app_id}/endpoint/{endpoint_id}/transformation"

ROUTES = (
    Route(
        "GET",
        _ONE,
        get_transformation,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_TRANSFORMATIONS,
        responses={200: TransformationOut},
        summary="Get the script of an endpoint",
        operation="endpoint.transformation-get",
    ),
    Route(
        "PATCH",
        _ONE,
        patch_transformation,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_TRANSFORMATIONS,
        body=TransformationPatch,
        responses={204: None},
        fails=(400,),
        summary="Change the script of an endpoint",
        operation="endpoint.patch-transformation",
    ),
    Route(
        "POST",
        f"{_ONE}/simulate",
        simulate,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_TRANSFORMATIONS,
        body=SimulateIn,
        responses={200: SimulateOut},
        fails=(400,),
        summary="Try a script of an endpoint, and send nothing",
        operation="endpoint.transformation-simulate",
    ),
    Route(
        "GET",
        "/app/{app_id}/transformations",
        list_names,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: TransformationNamesOut},
        summary="List the transformations that endpoints can choose",
        operation="endpoint.list-transformations",
    ),
)
