"""Examples of event types, as they are sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhook_engine.errors import ExampleUnavailableError, ValidationError
from webhook_engine.model import EventType
from webhook_engine.resources.examples import PING, example_of, is_ping

START = datetime(2030, 6, 1, tzinfo=UTC)


def event_type(schemas: dict[str, object] | None) -> EventType:
    return EventType(
        name="invoice.paid",
        organization_id="org_1",
        description="",
        archived=False,
        deprecated=False,
        schemas=schemas,
        feature_flags=(),
        group_name=None,
        created_at=START,
        updated_at=START,
    )


def test_an_example_is_written_as_compact_json() -> None:
    known = event_type({"1": {"examples": [{"ü": [1, 2]}, "text"]}})
    assert example_of(known, 0) == '{"ü":[1,2]}'.encode()
    assert example_of(known, 1) == b'"text"'


@pytest.mark.parametrize("schemas", [None, {}, {"2": {"examples": [1]}}, {"1": {}}, {"1": {"examples": []}}, {"1": 5}])
def test_without_an_example_there_is_nothing_to_send(schemas: dict[str, object] | None) -> None:
    with pytest.raises(ExampleUnavailableError, match=r"event_type: invoice\.paid has no example") as caught:
        example_of(event_type(schemas), 0)
    assert isinstance(caught.value, ValidationError)


def test_a_schema_without_examples_has_one_that_is_made_from_it() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "at": {"format": "date"}}}
    known = event_type({"1": schema})
    assert example_of(known, 0) == b'{"id":1,"at":"2030-01-31"}'
    with pytest.raises(ExampleUnavailableError, match="only 1 examples"):
        example_of(known, 1)
    impossible = event_type({"1": {"type": "string", "pattern": "^[0-9]{40}$"}})
    with pytest.raises(ExampleUnavailableError, match="put one into its `examples`"):
        example_of(impossible, 0)


def test_an_example_that_is_not_there() -> None:
    with pytest.raises(ExampleUnavailableError, match="example_index"):
        example_of(event_type({"1": {"examples": [1]}}), 1)


def test_a_ping_has_its_example_built_in() -> None:
    assert is_ping("svix.ping")
    assert not is_ping("ping")
    assert PING == b'{"success": true}'
