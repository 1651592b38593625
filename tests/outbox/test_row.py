"""A message that goes through a row of the outbox is the one that was said, or is refused as it would be directly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from stores import no_engine

from webhook_engine import ValidationError
from webhook_engine.clock import Clock
from webhook_engine.delivery.accept.intake import MessageLimits, from_row, prepare
from webhook_engine.model import Application
from webhook_engine.outbox import create_table, enqueue
from webhook_engine.rules.message import MessageDraft
from webhook_engine.store.records import NewMessage, OutboxRow

pytestmark = no_engine

APPLICATION = Application(
    id="app_1",
    organization_id="org_1",
    uid="acme",
    name="Acme",
    throttle_rate=None,
    metadata={},
    created_at=datetime(2030, 1, 1, tzinfo=UTC),
    updated_at=datetime(2030, 1, 1, tzinfo=UTC),
)
LIMITS = MessageLimits(payload_retention=timedelta(days=90))

# Short texts out of few characters, so that many are allowed and many only just not.
words = st.text(alphabet="aZ0-_.:+/\\# é\n", max_size=4) | st.sampled_from(["msg_1", "x" * 128, "x" * 129, "x" * 257])
lists = st.lists(words | st.integers(), max_size=12) | st.none() | words
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
messages = st.fixed_dictionaries(
    {"event_type": words, "payload": json_values | st.binary()},
    optional={"event_id": words, "channels": lists, "tags": lists},
)


def directly(message: dict[str, Any]) -> NewMessage | str:
    """The message as ``messages.create`` would accept it, or the argument that it refuses."""
    clock = Clock()
    try:
        return prepare(APPLICATION, LIMITS, "msg_1", clock.now(), MessageDraft(**message))
    except ValidationError as error:
        return error.field


def through_the_outbox(message: dict[str, Any]) -> NewMessage | str:
    """The message as the engine makes it of the row, or the argument that ``enqueue`` refuses."""
    with closing(sqlite3.connect(":memory:")) as db:
        create_table(db)
        try:
            enqueue(db, application="acme", **message)
        except ValidationError as error:
            return error.field
        columns = "id, message_id, organization, application, event_type, payload, event_id, channels, tags, deliver_at"
        values = db.execute(f"SELECT {columns} FROM webhook_outbox").fetchone()
    row = OutboxRow(**dict(zip(columns.split(", "), values, strict=True)))
    return from_row(row, APPLICATION, LIMITS, "msg_2", Clock().now())


@given(messages)
def test_the_same_messages_are_accepted_with_the_same_content(message: dict[str, Any]) -> None:
    direct, relayed = directly(message), through_the_outbox(message)
    if isinstance(direct, str) or isinstance(relayed, str):
        assert direct == relayed
        return
    for name in ("event_type", "payload", "event_id", "channels", "tags", "deliver_at"):
        assert getattr(direct, name) == getattr(relayed, name)
