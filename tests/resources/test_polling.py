"""Consumers of the message poller: the engine keeps how far each has come."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from webhook_engine import Engine, ManualClock, NotFoundError, PositionLimitError, ValidationError
from webhook_engine.clock import to_datetime
from webhook_engine.resources import pagination, polling


async def create(engine: Engine, clock: ManualClock, *numbers: int) -> None:
    """Messages that are a minute apart, the last one old enough to be pulled."""
    for number in numbers:
        await engine.messages.create("acme", event_type="a", payload={"n": number})
        clock.advance(timedelta(minutes=1))


async def pulled(engine: Engine, iterator: str | None = None, limit: int = 2, **names: str) -> tuple[list[int], str]:
    wanted = {"application": "acme", "sink": "warehouse", "consumer": "one", **names}
    page, following, _ = await engine.messages.consumer_poll(**wanted, iterator=iterator, limit=limit)
    return [int((each.payload or b"")[5:-1]) for each in page], following


async def test_a_page_comes_again_until_its_iterator_is_given(engine: Engine, clock: ManualClock) -> None:
    await create(engine, clock, 1, 2, 3, 4, 5)
    first, iterator = await pulled(engine)
    assert first == [1, 2]
    assert (await pulled(engine))[0] == [1, 2]
    second, iterator = await pulled(engine, iterator)
    assert second == [3, 4]
    assert (await pulled(engine))[0] == [3, 4]
    third, iterator = await pulled(engine, iterator)
    assert third == [5]
    assert await pulled(engine, iterator) == ([], iterator)
    await create(engine, clock, 6)
    assert (await pulled(engine))[0] == [6]


async def test_what_is_rare_is_looked_for_part_by_part(
    engine: Engine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(engine, clock, *range(10))
    rare = await engine.messages.create("acme", event_type="a", payload={"n": 10}, channels=["rare"])
    clock.advance(timedelta(minutes=1))
    monkeypatch.setattr(pagination, "LOOKED_AT", 4)
    polled, iterator, done = [], None, False
    while not done:
        page, iterator, done = await engine.messages.consumer_poll(
            "acme", "warehouse", "one", channel="rare", iterator=iterator
        )
        polled.append([one.id for one in page])
    assert polled == [[], [], [rare.id]]
    assert iterator == rare.id


async def test_the_position_outlives_the_engine(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "webhooks.db"
    async with Engine.open(path, clock=clock) as engine:
        await engine.applications.create(name="Acme", uid="acme")
        await create(engine, clock, 1, 2, 3)
        _, iterator = await pulled(engine)
        await pulled(engine, iterator)
    async with Engine.open(path, clock=clock) as engine:
        assert (await pulled(engine))[0] == [3]


async def test_consumers_do_not_know_of_one_another(engine: Engine, clock: ManualClock) -> None:
    await create(engine, clock, 1, 2, 3)
    await pulled(engine, (await pulled(engine))[1])
    assert (await pulled(engine))[0] == [3]
    assert (await pulled(engine, consumer="two"))[0] == [1, 2]
    assert (await pulled(engine, sink="audit"))[0] == [1, 2]


async def test_an_earlier_iterator_goes_back(engine: Engine, clock: ManualClock) -> None:
    await create(engine, clock, 1, 2, 3)
    _, first = await pulled(engine, limit=1)
    _, second = await pulled(engine, first, limit=1)
    await pulled(engine, second)
    assert (await pulled(engine, first))[0] == [2, 3]
    assert (await pulled(engine))[0] == [2, 3]


async def test_seek_sets_it_to_an_instant(engine: Engine, clock: ManualClock) -> None:
    await create(engine, clock, 1)
    between = clock.now()
    await create(engine, clock, 2, 3)
    position = await engine.messages.consumer_seek("acme", "warehouse", "one", after=to_datetime(between))
    assert (await pulled(engine))[0] == [2, 3]
    assert (await pulled(engine, position))[0] == [2, 3]
    await engine.messages.consumer_seek("acme", "warehouse", "one", after=to_datetime(clock.now()))
    assert (await pulled(engine))[0] == []


async def test_the_uid_of_an_endpoint_leads_to_the_same_position_as_its_id(engine: Engine, clock: ManualClock) -> None:
    endpoint = await engine.endpoints.create("acme", url="https://example.com", uid="warehouse", disabled=True)
    await create(engine, clock, 1, 2, 3)
    await pulled(engine, (await pulled(engine))[1])
    assert (await pulled(engine, sink=endpoint.id))[0] == [3]
    await engine.endpoints.update("acme", "warehouse", uid="renamed")
    assert (await pulled(engine, sink="renamed"))[0] == [3]


async def test_the_application_takes_its_positions_along(engine: Engine, clock: ManualClock) -> None:
    await create(engine, clock, 1)
    await pulled(engine, (await pulled(engine))[1])
    await engine.applications.delete("acme")
    with pytest.raises(NotFoundError):
        await pulled(engine)
    await engine.applications.create(name="Acme", uid="acme")
    await create(engine, clock, 2)
    assert (await pulled(engine))[0] == [2]


async def test_there_is_an_end_to_their_number(
    engine: Engine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "MAX_POSITIONS", 2)
    await create(engine, clock, 1)
    _, iterator = await pulled(engine)
    for consumer in ("one", "two"):
        await pulled(engine, iterator, consumer=consumer)
    with pytest.raises(PositionLimitError, match="2 consumers"):
        await pulled(engine, iterator, consumer="three")
    assert (await pulled(engine, consumer="three"))[0] == [1]  # to look costs nothing
    clock.advance(timedelta(days=89))
    await pulled(engine, iterator, consumer="one")  # is in use, although it stands still
    clock.advance(timedelta(days=2))
    await pulled(engine, iterator, consumer="three")
    assert (await pulled(engine, consumer="two"))[1] != iterator
    assert (await pulled(engine, consumer="one"))[1] == iterator


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("sink", {"sink": "no good"}),
        ("sink", {"sink": 5}),
        ("consumer", {"consumer": ""}),
        ("iterator", {"iterator": "app_1"}),
        ("iterator", {"iterator": 5}),
        ("limit", {"limit": 0}),
        ("channel", {"channel": "no good"}),
    ],
)
async def test_what_cannot_be_is_refused(engine: Engine, field: str, given: dict[str, object]) -> None:
    wanted = {"application": "acme", "sink": "warehouse", "consumer": "one", **given}
    with pytest.raises(ValidationError) as caught:
        await engine.messages.consumer_poll(**wanted)  # type: ignore[arg-type]
    assert caught.value.field == field
    with pytest.raises(ValidationError):
        await engine.messages.consumer_seek("acme", "warehouse", "one", after="yesterday")  # type: ignore[arg-type]
