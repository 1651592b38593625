"""Conditions on the message, shared by the lists of messages, deliveries and attempts."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_engine.store.records import Span
from webhook_engine.store.spans import direction

__all__ = ["MESSAGE_OF", "Parameters", "edge_of_ranges", "message_conditions"]

MESSAGE_OF = "LATERAL (SELECT * FROM webhook_message WHERE id = {}.message_id OFFSET 0) AS message"
"""Fenced off, so that each message is looked up, and nobody goes through all of them to meet a few."""


class Parameters:
    """The parameters of a statement that is put together: each gets the next number."""

    def __init__(self, *values: object) -> None:
        self.values = list(values)

    def add(self, value: object) -> str:
        """How the statement refers to this one."""
        self.values.append(value)
        return f"${len(self.values)}"


def message_conditions(
    parameters: Parameters, event_types: tuple[str, ...] | None, channel: str | None, tag: str | None
) -> str:
    """``AND …`` over the columns of ``message``; empty where nothing is asked."""
    conditions: list[str] = []
    if event_types is not None:
        conditions.append(f"AND message.event_type = ANY({parameters.add(list(event_types))}::text[])")
    for name, wanted in (("channels", channel), ("tags", tag)):
        if wanted is not None:
            conditions.append(f"AND message.{name}::jsonb ? {parameters.add(wanted)}::text")
    return " ".join(conditions)


def edge_of_ranges(ranges: Sequence[str], span: Span) -> str:
    """The two ids around the edge of a list that is merged from ranges of ids; ``$4`` says after how many it is."""
    return f"""
    SELECT id FROM ({" UNION ALL ".join(ranges)}) AS merged ORDER BY id {direction(span)} LIMIT 2 OFFSET $4 - 1
    """  # noqa: S608 (only what is written here)
