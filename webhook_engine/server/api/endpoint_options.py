"""What an endpoint may ask for, on the wire; durations are texts with a unit, such as ``10s``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec import UNSET, UnsetType

from webhook_engine.model import Endpoint, EndpointOptions
from webhook_engine.rules.quantities import format_duration
from webhook_engine.server.api.route import In, Out

__all__ = ["OptionsIn", "OptionsOut", "given_options", "shown_options"]

OPTIONS = EndpointOptions.__struct_fields__


class OptionsIn(In, frozen=True, kw_only=True):
    """What may be asked for; ``null`` takes it back."""

    timeout: str | UnsetType | None = UNSET
    retry_schedule: list[str] | UnsetType | None = UNSET


class OptionsOut(Out, frozen=True, kw_only=True):
    """What is asked for; the rest is left out."""

    timeout: str | UnsetType = UNSET
    retry_schedule: Sequence[str] | UnsetType = UNSET


def given_options(body: OptionsIn, *, reset: bool) -> dict[str, Any]:
    """As arguments of the manager. With ``reset``, what is left out is taken back."""
    given = {name: getattr(body, name) for name in OPTIONS}
    return {name: None if value is UNSET else value for name, value in given.items() if reset or value is not UNSET}


def shown_options(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of :class:`OptionsOut`."""
    return {name: _shown(value) for name in OPTIONS if (value := getattr(endpoint, name)) is not None}


def _shown(value: object) -> object:
    match value:
        case timedelta():
            return format_duration(value)
        case tuple():
            return [_shown(one) for one in value]
        case _:
            return value
