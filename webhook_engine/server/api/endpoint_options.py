"""The delivery options of an endpoint, on the wire; durations are texts with a unit, such as ``10s``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from webhook_engine.model import Endpoint, EndpointAuthentication, EndpointOptions, EndpointTls
from webhook_engine.rules.quantities import format_duration
from webhook_engine.server.api.route import In, Out

__all__ = ["OptionsIn", "OptionsOut", "given_options", "shown_options"]

OPTIONS = EndpointOptions.__struct_fields__


class AuthenticationIn(In, frozen=True, kw_only=True):
    """How requests are authenticated; a secret given as its mask is kept."""

    type: str
    username: str | None = None
    password: str | None = None
    token: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    client_authentication: str | None = None


class TlsIn(In, frozen=True, kw_only=True):
    """The client certificate and trusted certificates for TLS, in PEM; a key given as its mask is kept."""

    certificate: str | None = None
    key: str | None = None
    ca: str | None = None


class AuthenticationOut(Out, frozen=True, kw_only=True):
    """How requests are authenticated; secrets are masked."""

    type: str
    username: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    token_url: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    client_secret: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET
    client_authentication: str | UnsetType = UNSET


class TlsOut(Out, frozen=True, kw_only=True):
    """The certificates used for TLS; the key is masked."""

    certificate: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    ca: str | UnsetType = UNSET


class OptionsIn(In, frozen=True, kw_only=True):
    """The options to set; ``null`` resets one to the default."""

    timeout: str | UnsetType | None = UNSET
    retry_schedule: list[str] | UnsetType | None = UNSET
    timeout_by_event_type: dict[str, str] | UnsetType | None = UNSET
    retry_schedule_by_event_type: dict[str, list[str]] | UnsetType | None = UNSET
    transformation: str | UnsetType | None = UNSET
    authentication: AuthenticationIn | UnsetType | None = UNSET
    tls: TlsIn | UnsetType | None = UNSET
    filter: dict[str, Any] | UnsetType | None = UNSET
    method: str | UnsetType | None = UNSET
    query: dict[str, str] | UnsetType | None = UNSET
    compression: str | UnsetType | None = UNSET
    user_agent: str | UnsetType | None = UNSET
    content_type: str | UnsetType | None = UNSET
    ordering: str | UnsetType | None = UNSET
    ordering_on_exhausted: str | UnsetType | None = UNSET
    batch_size: int | UnsetType | None = UNSET
    batch_wait: str | UnsetType | None = UNSET
    circuit_breaker: bool | UnsetType | None = UNSET


class OptionsOut(Out, frozen=True, kw_only=True):
    """The options that are set; others are omitted."""

    timeout: str | UnsetType = UNSET
    retry_schedule: Sequence[str] | UnsetType = UNSET
    timeout_by_event_type: Mapping[str, str] | UnsetType = UNSET
    retry_schedule_by_event_type: Mapping[str, Sequence[str]] | UnsetType = UNSET
    transformation: str | UnsetType = UNSET
    authentication: AuthenticationOut | UnsetType = UNSET
    tls: TlsOut | UnsetType = UNSET
    filter: Mapping[str, Any] | UnsetType = UNSET
    method: str | UnsetType = UNSET
    query: Mapping[str, str] | UnsetType = UNSET
    compression: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    ordering: str | UnsetType = UNSET
    ordering_on_exhausted: str | UnsetType = UNSET
    batch_size: int | UnsetType = UNSET
    batch_wait: str | UnsetType = UNSET
    circuit_breaker: bool | UnsetType = UNSET


def given_options(body: OptionsIn, *, reset: bool) -> dict[str, Any]:
    """As arguments of the manager. With ``reset``, omitted options are reset."""
    given = {name: _plain(getattr(body, name)) for name in OPTIONS}
    return {name: None if value is UNSET else value for name, value in given.items() if reset or value is not UNSET}


def shown_options(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of :class:`OptionsOut`."""
    return {name: _shown(value) for name in OPTIONS if (value := getattr(endpoint, name)) is not None}


def _shown(value: object) -> object:
    match value:
        case timedelta():
            return format_duration(value)
        case EndpointAuthentication():
            return AuthenticationOut(**_said(value))
        case EndpointTls():
            return TlsOut(**_said(value))
        case dict():
            return {name: _shown(one) for name, one in value.items()}
        case tuple():
            return [_shown(one) for one in value]
        case _:
            return value


def _plain(value: object) -> object:
    return msgspec.structs.asdict(value) if isinstance(value, AuthenticationIn | TlsIn) else value


def _said(value: msgspec.Struct) -> dict[str, Any]:
    return {name: each for name, each in msgspec.structs.asdict(value).items() if each is not None}
