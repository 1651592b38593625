"""Diagnosing why a request does not verify, on the wire."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from webhook_engine.resources.diagnosis import Finding
from webhook_engine.rules.capabilities import Capability
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, Out, Route

__all__ = ["ROUTES"]

MAX_HEADERS = 65_536


class ReceivedIn(In, frozen=True, kw_only=True):
    """A request as it was received."""

    headers: Annotated[str, Meta(max_length=MAX_HEADERS)]
    """One per line, copied in any format."""
    body: str


class DiagnosisOut(Out, frozen=True, kw_only=True):
    """The result of the diagnosis."""

    finding: Finding
    header: str | None
    """The header that is missing."""
    age_seconds: int | None
    """How long ago it was signed."""
    endpoint_id: str | None
    """The other endpoint that the request was signed for."""
    endpoint_url: str | None


async def diagnose(call: Call[NoQuery, ReceivedIn]) -> Out:
    """Check whether a request that the endpoint received verifies, and if not, find the difference."""
    found = await call.organization.endpoints.diagnose(
        call.application.id, call.parameters["endpoint_id"], call.body.headers, call.body.body.encode(errors="replace")
    )
    return DiagnosisOut(
        finding=found.finding,
        header=found.header,
        age_seconds=found.age_s,
        endpoint_id=None if found.endpoint is None else found.endpoint.id,
        endpoint_url=None if found.endpoint is None else found.endpoint.url,
    )


ROUTES = (
    Route(
        "POST",
        "/app/{app_id}/endpoint/{endpoint_id}/diagnose",
        diagnose,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_ENDPOINT_SECRET,
        body=ReceivedIn,
        responses={200: DiagnosisOut},
        summary="Find out why a request does not verify",
        operation="endpoint.diagnose",
    ),
)
