"""Conditions on the message, shared by the lists of messages, deliveries and attempts."""

# ruff: noqa: S608 (only names of columns are put into statements, values never)

from __future__ import annotations

from webhook_engine.store.rows import json_of
from webhook_engine.store.sqlite.connection import Value

__all__ = ["message_conditions"]


def message_conditions(
    event_types: tuple[str, ...] | None, channel: str | None, tag: str | None
) -> tuple[str, dict[str, Value]]:
    """The condition ``AND …`` on columns of ``message``, and its named parameters; empty without a filter."""
    conditions: list[str] = []
    parameters: dict[str, Value] = {}
    if event_types is not None:
        conditions.append("AND message.event_type IN (SELECT value FROM json_each(:event_types))")
        parameters["event_types"] = json_of(event_types)
    for name, wanted in (("channel", channel), ("tag", tag)):
        if wanted is not None:
            conditions.append(f"AND EXISTS (SELECT 1 FROM json_each(message.{name}s) WHERE value = :{name})")
            parameters[name] = wanted
    return " ".join(conditions), parameters
