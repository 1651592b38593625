"""What becomes of the arguments of a new message, and of a row of the outbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from stores import no_engine

from webhook_engine.clock import from_datetime, microseconds, to_datetime
from webhook_engine.delivery.accept.intake import MessageLimits, as_message, from_row, prepare
from webhook_engine.errors import ValidationError
from webhook_engine.ids import IdSource, timestamp_of
from webhook_engine.model import Application
from webhook_engine.rules.message import MessageDraft
from webhook_engine.store.records import NewMessage, OutboxRow

pytestmark = no_engine

START = datetime(2030, 6, 1, tzinfo=UTC)
NOW = from_datetime(START)
DAY = microseconds(timedelta(days=1))
ACME = Application(
    id="app_1",
    organization_id="org_1",
    uid="acme",
    name="Acme",
    throttle_rate=None,
    metadata={},
    created_at=START,
    updated_at=START,
)
LIMITS = MessageLimits(payload_retention=timedelta(days=20), max_payload_bytes=100)


def message(**arguments: object) -> NewMessage:
    given = {"event_type": "invoice.paid", "payload": {"id": 1}, **arguments}
    return prepare(ACME, LIMITS, "msg_1", NOW, MessageDraft(**given))  # type: ignore[arg-type]


def refused(**arguments: object) -> str:
    with pytest.raises(ValidationError) as caught:
        message(**arguments)
    return caught.value.field


def test_bytes_are_not_copied() -> None:
    body = b'{"a":1}'
    assert message(payload=body).payload is body


def test_the_size_limit_is_exact() -> None:
    assert len(message(payload=b"x" * 100).payload) == 100
    assert refused(payload=b"x" * 101) == "payload"
    assert refused(payload={"x": "ü" * 50}) == "payload"


@pytest.mark.parametrize(
    ("argument", "value", "field"),
    [
        ("event_type", "a b", "event_type"),
        ("event_type", None, "event_type"),
        ("event_type", 5, "event_type"),
        ("event_id", "msg_1", "event_id"),
        ("event_id", "", "event_id"),
        ("channels", [], "channels"),
        ("channels", ["a", "b c"], "channels[1]"),
        ("tags", ["a b"], "tags[0]"),
        ("deliver_at", "2030-06-02", "deliver_at"),
        ("payload_retention_period", 0, "payload_retention_period"),
        ("payload_retention_period", 91, "payload_retention_period"),
        ("payload_retention_period", True, "payload_retention_period"),
        ("payload_retention_hours", 2161, "payload_retention_hours"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(argument: str, value: object, field: str) -> None:
    assert refused(**{argument: value}) == field


def test_retention_is_given_in_days_or_in_hours() -> None:
    assert message().payload_expires_at is None
    assert message(payload_retention_period=90).payload_expires_at == NOW + 90 * DAY
    assert message(payload_retention_hours=12).payload_expires_at == NOW + DAY // 2
    assert refused(payload_retention_period=1, payload_retention_hours=1) == "payload_retention_hours"


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=1), timedelta(days=9999)])
def test_a_past_deliver_at_means_now(ago: timedelta) -> None:
    assert message(deliver_at=START - ago).deliver_at is None


def test_deliver_at_may_be_naive() -> None:
    assert message(deliver_at=datetime(2030, 6, 2)).deliver_at == NOW + DAY


def test_deliver_at_is_bounded_by_31_days_and_by_the_life_of_the_payload() -> None:
    far = START + timedelta(days=31)
    assert message(deliver_at=far, payload_retention_period=90).deliver_at == NOW + 31 * DAY
    assert refused(deliver_at=far + timedelta(seconds=1), payload_retention_period=90) == "deliver_at"
    assert refused(deliver_at=far) == "deliver_at"
    assert refused(deliver_at=START + timedelta(days=2), payload_retention_period=1) == "deliver_at"


def test_an_accepted_message_is_returned_as_it_was_given() -> None:
    new = message(event_id="inv-1", channels=["b", "a"], tags=["t"], deliver_at=START + timedelta(hours=1))
    got = as_message(new)
    assert (got.id, got.application_id, got.event_type, got.event_id) == ("msg_1", "app_1", "invoice.paid", "inv-1")
    assert (got.payload, got.channels, got.tags) == (b'{"id":1}', ("b", "a"), ("t",))
    assert (got.timestamp, got.deliver_at) == (START, START + timedelta(hours=1))


def row(**columns: object) -> OutboxRow:
    plain: dict[str, object] = dict.fromkeys(
        ["message_id", "organization", "event_id", "channels", "tags", "deliver_at"]
    )
    given = {**plain, "id": 1, "application": "acme", "event_type": "invoice.paid", "payload": b"{}", **columns}
    return OutboxRow(**given)  # type: ignore[arg-type]


def admitted(**columns: object) -> NewMessage:
    return from_row(row(**columns), ACME, LIMITS, "msg_fresh", NOW)


def test_a_row_becomes_a_message_by_the_same_rules() -> None:
    got = admitted(event_id="e", channels='["a","b"]', tags='["t"]', deliver_at="2030-06-02T00:00:00Z")
    same = message(event_id="e", payload=b"{}", channels=["a", "b"], tags=["t"], deliver_at=START + timedelta(days=1))
    assert got == msgspec.structs.replace(same, id="msg_fresh")


def test_a_row_keeps_the_id_that_its_writer_gave_it_and_the_time_in_it() -> None:
    written = IdSource().new("msg_", NOW - DAY)
    got = admitted(message_id=written)
    assert (got.id, got.created_at) == (written, timestamp_of(written))
    ahead = IdSource().new("msg_", NOW + DAY)
    assert admitted(message_id=ahead).created_at == NOW


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("message_id", "msg_1", "message_id"),
        ("message_id", "", "message_id"),
        ("event_type", "a b", "event_type"),
        ("payload", b"x" * 101, "payload"),
        ("event_id", "msg_1", "event_id"),
        ("channels", "a,b", "channels"),
        ("channels", '{"a":1}', "channels"),
        ("channels", "[" * 100_000, "channels"),
        ("channels", '["a b"]', "channels[0]"),
        ("channels", "[1]", "channels[0]"),
        ("tags", "", "tags"),
        ("deliver_at", "tomorrow", "deliver_at"),
        ("deliver_at", str(to_datetime(NOW + 40 * DAY)), "deliver_at"),
    ],
)
def test_a_row_that_can_never_be_delivered_is_refused(column: str, value: object, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        admitted(**{column: value})
    assert caught.value.field == field
