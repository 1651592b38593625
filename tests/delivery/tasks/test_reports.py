"""What is counted and listed over all applications is the same whatever the size of a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from engines import local_engine, send

from webhook_engine import Engine
from webhook_engine.delivery.tasks import reports


@pytest.fixture(params=[1, 2, 1_000])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "COUNTED_AT_ONCE", request.param)
    monkeypatch.setattr(reports, "APPLICATIONS_AT_ONCE", request.param)


async def three_applications(engine: Engine) -> None:
    for name in ("a", "b"):
        await engine.event_types.create(name=name)
    for uid, filters in (("one", [["b", "a"]]), ("two", [None, ["a"]]), ("none", [])):
        await engine.applications.create(name=uid, uid=uid)
        for event_types in filters:
            await engine.endpoints.create(uid, url="http://127.0.0.1:9/", event_types=event_types)
        for number in range(3):
            await send(engine, number, application=uid, event_type="a")


@pytest.mark.usefixtures("at_once")
async def test_deliveries_are_counted_for_each_application(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await three_applications(engine)
        now = datetime.now(UTC)
        for wanted, expected in ((None, {"one": 3, "two": 6, "none": 0}), (["two"], {"two": 6})):
            started, unknown = await engine.tasks.count_usage(
                now - timedelta(hours=1), now + timedelta(minutes=1), wanted
            )
            ended = await engine.tasks.wait(started.id, timeout=10)
            assert unknown == []
            assert {one["appUid"]: one["messageDestinations"] for one in ended.data["appStats"]} == expected


@pytest.mark.usefixtures("at_once")
async def test_event_types_in_filters_are_listed_for_each_application(tmp_path: Path) -> None:
    async with local_engine(tmp_path / "e.db") as engine:
        await three_applications(engine)
        ended = await engine.tasks.wait((await engine.tasks.list_used_event_types()).id, timeout=10)
        listed = [
            (one["explicitlySubscribedEventTypes"], one["hasCatchAllEndpoint"]) for one in ended.data["event_types"]
        ]
        assert listed == [(["a", "b"], False), (["a"], True), ([], False)]
