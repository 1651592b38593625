"""The delivery settings of this server, on the wire: what a consumer should know before adding an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Literal

from yarl import URL

from webhook_engine.delivery.http.guard import AddressGuard
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.errors import ValidationError
from webhook_engine.rules.capabilities import Capability
from webhook_engine.rules.quantities import MILLISECOND, format_duration
from webhook_engine.rules.urls import endpoint_url
from webhook_engine.server.api.query import NoQuery
from webhook_engine.server.api.route import Auth, Call, In, NoBody, Out, Route

__all__ = ["ROUTES"]

_NO_WAY: Mapping[FailureKind, Literal["private", "unresolvable"]] = {
    FailureKind.BLOCKED: "private",
    FailureKind.DNS: "unresolvable",
}
LOOPBACK = "127.0.0.1"
NEVER_PUBLIC = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".home.arpa", ".corp")
"""Suffixes that no public name has: reserved for private networks, or excluded from the root zone for that use."""


class DeliveryRulesOut(Out, frozen=True, kw_only=True):
    """The delivery settings."""

    timeout_ms: int
    """How long the receiver may take for its complete response."""
    recover_max_age_ms: int
    """How far back messages can be sent again."""
    https_only: bool
    signature_headers: Sequence[str]
    """Prefixes of the headers with the id, the timestamp and the signature."""
    retry_schedule: Sequence[str]
    """The delays after the first attempt, for endpoints without their own schedule."""
    endpoint_max_timeout_ms: int
    """The highest timeout that an endpoint may set."""
    endpoint_max_retries: int
    endpoint_max_retry_time_ms: int
    """The highest sum of all retry delays that an endpoint may set."""


class EndpointUrlIn(In, frozen=True, kw_only=True):
    """A URL to check before it is saved."""

    url: str
    look_up: bool = False
    """Whether to look up its host name, too; this takes a few seconds at most."""


class EndpointUrlOut(Out, frozen=True, kw_only=True):
    """The result of the check."""

    problem: Literal["invalid", "https_only", "private", "unresolvable"] | None
    """``private`` and ``unresolvable``: the URL may be saved, but nothing can be sent there now."""


async def delivery_rules(call: Call[NoQuery, NoBody]) -> Out:
    """Get the configured timeout and the other delivery settings."""
    delivery, bounds = call.context.engine.config.delivery, call.context.services.policy.endpoint_options
    return DeliveryRulesOut(
        timeout_ms=delivery.timeout // MILLISECOND,
        recover_max_age_ms=delivery.recover_max_age // MILLISECOND,
        retry_schedule=[format_duration(delay) for delay in delivery.retry_schedule],
        endpoint_max_timeout_ms=bounds.timeout // MILLISECOND,
        endpoint_max_retries=bounds.retries,
        endpoint_max_retry_time_ms=bounds.retry_time // MILLISECOND,
        https_only=delivery.https_only,
        signature_headers=delivery.signature_headers,
    )


async def precheck_url(call: Call[NoQuery, EndpointUrlIn]) -> Out:
    """Check whether requests could be sent to a URL.

    Names that are never public get a warning, unless private networks are allowed. Other names are looked up on
    request, as in an attempt.
    """
    delivery = call.context.engine.config.delivery
    try:
        normal = endpoint_url("url", call.body.url, https_only=False)
    except ValidationError:
        return EndpointUrlOut(problem="invalid")
    url = URL(normal, encoded=True)
    if delivery.https_only and url.scheme != "https":
        return EndpointUrlOut(problem="https_only")
    if call.context.engine.serves_inbox(url):
        return EndpointUrlOut(problem=None)
    host = (url.raw_host or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        host = LOOPBACK  # "localhost" always resolves to it (RFC 6761)
    try:
        address = ip_address(host)
    except ValueError:
        private = ("." not in host or host.endswith(NEVER_PUBLIC)) and not delivery.allow_subnets
        if private or not call.body.look_up:
            return EndpointUrlOut(problem="private" if private else None)
        found = await call.context.services.flow.precheck(url, call.application.id)
        return EndpointUrlOut(problem=None if found is None else _NO_WAY.get(found))
    refused = AddressGuard(delivery.allow_subnets).refusal(address) is not None
    return EndpointUrlOut(problem="private" if refused else None)


ROUTES = (
    Route(
        "GET",
        "/app/{app_id}/delivery-rules",
        delivery_rules,
        auth=Auth.APPLICATION,
        needs=Capability.VIEW_BASE,
        responses={200: DeliveryRulesOut},
        summary="Get the rules that hold for deliveries",
        operation="application.get-delivery-rules",
    ),
    Route(
        "POST",
        "/app/{app_id}/endpoint/precheck/url",
        precheck_url,
        auth=Auth.APPLICATION,
        needs=Capability.MANAGE_ENDPOINT,
        body=EndpointUrlIn,
        responses={200: EndpointUrlOut},
        summary="Ask whether requests could be sent to a URL",
        operation="endpoint.precheck-url",
    ),
)
