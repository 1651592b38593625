"""Typed events as event types: registered, brought up to date, and refused where consumers would break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from webhook_engine import BreakingChangeError, Engine, ValidationError, event
from webhook_engine.resources.typed_registration import registrations
from webhook_engine.typed_events import declarations


@dataclass(frozen=True)
class Known:
    """What is registered already."""

    group_name: str | None
    schemas: Mapping[str, object] | None


@event("invoice.paid", examples=[{"id": 1, "note": ""}])
@dataclass
class First:
    """An invoice was paid."""

    id: int
    note: str = field(default="", metadata={"description": "For people"})


@event("invoice.paid", group_name="billing")
@dataclass
class Wider:
    """An invoice was paid, now with a total."""

    id: int
    note: str
    total: int


@event("invoice.paid")
@dataclass
class Breaking:
    id: str


@event("invoice.paid", version=2)
@dataclass
class Second:
    """The second version."""

    id: str


async def test_a_class_is_registered_with_all_that_it_says(engine: Engine) -> None:
    [made] = await engine.event_types.sync([First])
    assert (made.name, made.description) == ("invoice.paid", "An invoice was paid.")
    assert made.schemas is not None
    assert made.schemas["1"]["properties"]["note"]["description"] == "For people"  # type: ignore[index]
    app = await engine.applications.create(name="Acme")
    endpoint = await engine.endpoints.create(app.id, url="http://127.0.0.1:1/", event_types=["invoice.paid"])
    example = await engine.endpoints.send_example(app.id, endpoint.id, "invoice.paid")
    assert example.payload == b'{"id":1,"note":""}'


async def test_what_is_new_is_added_and_other_versions_stay(engine: Engine) -> None:
    await engine.event_types.sync([First])
    await engine.event_types.delete("invoice.paid")
    [wider] = await engine.event_types.sync([Wider])
    assert (wider.group_name, wider.archived) == ("billing", False)
    both = (await engine.event_types.sync([Wider, Second]))[-1]
    assert both.schemas is not None
    assert set(both.schemas) == {"1", "2"}
    assert (await engine.event_types.get("invoice.paid")).schemas == both.schemas


async def test_a_change_that_breaks_consumers_is_refused_whole(engine: Engine) -> None:
    @event("other.made")
    @dataclass
    class Other:
        id: int

    await engine.event_types.sync([First])
    before = [one async for one in engine.event_types.iterate()]
    with pytest.raises(BreakingChangeError) as caught:
        await engine.event_types.sync([Other, Breaking])
    assert set(caught.value.problems) == {
        "invoice.paid version 1: note: was always there, and is gone now",
        "invoice.paid version 1: id: was integer, and may be string now",
    }
    assert [one async for one in engine.event_types.iterate()] == before
    assert len(await engine.event_types.sync([Other, Breaking], allow_breaking=True)) == 2


async def test_what_declares_nothing_is_refused(engine: Engine) -> None:
    with pytest.raises(ValidationError, match="must be classes declared with @event"):
        await engine.event_types.sync([int])


@pytest.mark.parametrize("known", [{}, {"invoice.paid": Known("billing", {"0": {}})}])
def test_versions_that_are_new_together_are_registered_together(known: dict[str, Known]) -> None:
    [one] = registrations(declarations([Wider, Second]), known, allow_breaking=False)
    assert (one.name, one.registered) == ("invoice.paid", known.get("invoice.paid"))
    assert set(one.fields["schemas"]) == {"1", "2", *(known["invoice.paid"].schemas or {} if known else {})}
    assert (one.fields["description"], one.fields["group_name"]) == ("The second version.", "billing")
