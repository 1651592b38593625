"""Several messages of one order in one request."""

import json

import msgspec
import pytest
from flow_parts import make_due
from hypothesis import given
from hypothesis import strategies as st

from webhook_engine.delivery.attempt.batch import MAX_BATCH_BYTES, body_of, gathered, of_the_others, request_of
from webhook_engine.delivery.attempt.decision import EXHAUSTED
from webhook_engine.delivery.attempt.outcome import Outcome
from webhook_engine.model import DeliveryStatus
from webhook_engine.store.order import NOT_YET, OrderedDelivery
from webhook_engine.store.records import DeliveryChange


def member(number: int, payload: bytes | None = b"{}", *, attempts: int = 0, due_at: int = 0) -> OrderedDelivery:
    due = make_due(f"msg_{number}", due_at=due_at, attempt_count=attempts, payload=payload)
    return OrderedDelivery(due, "a.b", 1_767_225_600_000_000)


def numbers(members: object) -> list[str]:
    return [one.due.message_id for one in members]  # type: ignore[attr-defined]


def test_who_goes_together() -> None:
    fresh = [member(1), member(2), member(3)]
    assert gathered(fresh, 0) == fresh
    assert gathered([], 0) == ()
    # Not before its time, and nobody past it either.
    assert numbers(gathered([member(1), member(2, due_at=9), member(3)], 8)) == ["msg_1"]
    assert numbers(gathered([member(1), member(2, None), member(3)], 8)) == ["msg_1"]
    # What failed together is tried again together, without those that came later.
    again = [member(1, attempts=2), member(2, attempts=2), member(3)]
    assert numbers(gathered(again, 0)) == ["msg_1", "msg_2"]
    large = [member(number, b"x" * (MAX_BATCH_BYTES // 2)) for number in range(3)]
    assert numbers(gathered(large, 0)) == ["msg_0", "msg_1"]
    assert len(gathered([member(1, b"x" * MAX_BATCH_BYTES), member(2)], 0)) == 1


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b'{"a":1.50}', b"[]", b"null", b'"\\u00e9"']), min_size=1))
def test_the_body_is_json_whatever_the_payloads_are(payloads: list[bytes]) -> None:
    body = json.loads(body_of([member(number, payload) for number, payload in enumerate(payloads)]))
    assert [one["id"] for one in body] == [f"msg_{number}" for number in range(len(payloads))]
    assert {one["timestamp"] for one in body} == {"2026-01-01T00:00:00Z"}
    for one, payload in zip(body, payloads, strict=True):
        try:
            expected = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            expected = payload.decode(errors="replace")
        assert one["payload"] == expected


def test_the_payload_is_in_it_byte_for_byte() -> None:
    assert b'"payload":{"a":  1.50}}' in body_of([member(1, b'{"a":  1.50}')])


def test_the_same_messages_have_the_same_id() -> None:
    one, two = [member(1), member(2)], [member(1), member(3)]
    assert request_of(one, b"").message_id == request_of(one, b"[]").message_id
    assert request_of(one, b"").message_id != request_of(two, b"").message_id
    assert "." not in request_of(one, b"").message_id


@pytest.mark.parametrize(
    ("status", "reason", "stops", "expected", "due_at"),
    [
        (DeliveryStatus.SUCCEEDED, None, False, DeliveryStatus.SUCCEEDED, None),
        (DeliveryStatus.PENDING, None, False, DeliveryStatus.PENDING, NOT_YET),
        (DeliveryStatus.FAILED, EXHAUSTED, False, DeliveryStatus.FAILED, None),
        (DeliveryStatus.FAILED, EXHAUSTED, True, DeliveryStatus.PENDING, NOT_YET),
    ],
)
def test_what_comes_of_it_holds_for_all(
    status: DeliveryStatus, reason: str | None, stops: bool, expected: DeliveryStatus, due_at: int | None
) -> None:
    change = DeliveryChange("msg_1", "ep_1", status, 7, 1, reason, 5, stops=stops, ordered=True)
    outcome = Outcome(member(1).due, "app_1", change)
    [other] = of_the_others(outcome, [member(2)], ["atmpt_2"])
    made = other.change
    assert (made.message_id, made.status, made.due_at, made.step) == ("msg_2", expected, due_at, 0)
    assert (other.reaction, other.condition, other.health) == (None, None, None)
