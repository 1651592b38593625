"""The event types of operational webhooks are all there, each with a schema that its example and its event hold to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from webhook_engine import Engine
from webhook_engine.errors import ConflictError
from webhook_engine.events import EndpointDeletedEvent, OperationalEvent
from webhook_engine.resources import json_schema
from webhook_engine.resources.operational_events import operational_event_types

MANAGEMENT = "org_00000000000SvixManagement00"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
ALL = {each.name: each for each in operational_event_types(MANAGEMENT, NOW)}


def kinds(of: type[OperationalEvent] = OperationalEvent) -> Iterator[str]:
    for kind in of.__subclasses__():
        if kind.__module__.startswith("webhook_engine.") and kind.type:
            yield kind.type
        yield from kinds(kind)


def test_every_event_there_is_has_its_type() -> None:
    assert sorted(ALL) == sorted(set(kinds()))
    assert list(ALL) == sorted(ALL)


@pytest.mark.parametrize("name", ALL)
def test_each_has_a_description_a_schema_and_an_example_that_holds_to_it(name: str) -> None:
    event_type = ALL[name]
    assert len(event_type.description) > 10
    schema: Any = (event_type.schemas or {})["1"]
    assert json_schema.fault(schema) is None
    [example] = schema["examples"]
    jsonschema_rs.validate(schema, example)
    assert example["type"] == name
    for broken in ({}, {**example, "type": "other"}, {**example, "data": {}}):
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(schema, broken)


def test_what_has_no_uid_holds_to_its_schema_too() -> None:
    event = EndpointDeletedEvent(
        organization_id="org_x",
        application_id="app_x",
        application_uid=None,
        timestamp=NOW,
        endpoint_id="ep_x",
        endpoint_uid=None,
    )
    schema: Any = (ALL[event.type].schemas or {})["1"]
    jsonschema_rs.validate(schema, json.loads(msgspec.json.encode(event.body())))


async def test_a_started_engine_has_registered_them_and_leaves_what_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.db"
    async with Engine.open(path) as engine:
        management = engine.organization(MANAGEMENT)
        listed = [each async for each in management.event_types.iterate()]
        assert [each.name for each in listed] == list(ALL)
        assert all(each.schemas for each in listed)
        await management.event_types.update("endpoint.created", description="Mine", schemas={"1": {"title": "mine"}})
        await management.event_types.update("endpoint.updated", schemas=None)
        await management.event_types.delete("endpoint.deleted")
        await management.event_types.delete("endpoint.enabled", expunge=True)
        assert [each async for each in engine.event_types.iterate()] == []
    async with Engine.open(path) as engine:
        types = engine.organization(MANAGEMENT).event_types
        assert (await types.get("endpoint.created")).description == "Mine"
        assert (await types.get("endpoint.created")).schemas == {"1": {"title": "mine"}}
        assert (await types.get("endpoint.updated")).schemas == ALL["endpoint.updated"].schemas
        assert (await types.get("endpoint.deleted")).archived
        assert not (await types.get("endpoint.enabled")).archived


async def test_they_are_in_the_organization_that_is_configured(tmp_path: Path) -> None:
    async with Engine.open(tmp_path / "webhooks.db", operational__organization="org_ops") as engine:
        ops = engine.organization("org_ops")
        await ops.applications.create(name="ops", uid="org_acme")
        made = await ops.endpoints.create("org_acme", url="https://example.com", event_types=["endpoint.disabled"])
        assert made.event_types == ("endpoint.disabled",)
        assert not (await engine.organization(MANAGEMENT).event_types.list()).data


async def test_who_registers_one_themselves_may_once(tmp_path: Path) -> None:
    """Platforms did so before the engine did it, and their set-up goes on."""
    async with Engine.open(tmp_path / "webhooks.db") as engine:
        types = engine.organization(MANAGEMENT).event_types
        await types.create(name="endpoint.disabled", description="Mine", group_name="ops")
        found = await types.get("endpoint.disabled")
        assert (found.description, found.group_name, found.schemas) == ("Mine", "ops", None)
        with pytest.raises(ConflictError):
            await types.create(name="endpoint.disabled", description="Again")
