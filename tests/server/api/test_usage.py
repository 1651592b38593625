"""What is counted for each application, through the official SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from api_clients import an_hour_ago, finished
from receivers import Receiver
from svix.api import SvixAsync
from svix.exceptions import HTTPValidationError
from svix.models import (
    ApplicationIn,
    AppUsageStatsIn,
    EndpointIn,
    EventTypeIn,
    MessageIn,
)


async def test_usage_is_counted_for_each_application(svix: SvixAsync) -> None:
    async with Receiver() as receiver:
        for uid, endpoints in (("one", 1), ("two", 2), ("none", 0)):
            await svix.application.create(ApplicationIn(name=uid, uid=uid))
            for _ in range(endpoints):
                await svix.endpoint.create(uid, EndpointIn(url=receiver.url))
            for _ in range(2):
                await svix.message.create(uid, MessageIn(event_type="a", payload={}))
        span = {"since": an_hour_ago(), "until": datetime.now(UTC) + timedelta(minutes=1)}
        task = await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span))
        stats = (await finished(svix, task.id))["appStats"]
        assert {each["appUid"]: each["messageDestinations"] for each in stats} == {"one": 2, "two": 4, "none": 0}
        some = await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span, app_ids=["two", "nobody"]))
        assert some.unresolved_app_ids == ["nobody"]
        assert [each["appUid"] for each in (await finished(svix, some.id))["appStats"]] == ["two"]
        with pytest.raises(HTTPValidationError):
            await svix.statistics.aggregate_app_stats(AppUsageStatsIn(**span, app_ids=["nobody"]))
        await receiver.wait_for(6)


async def test_used_event_types_are_listed_for_each_application(svix: SvixAsync) -> None:
    for name in ("a", "b"):
        await svix.event_type.create(EventTypeIn(name=name, description=""))
    one = await svix.application.create(ApplicationIn(name="one"))
    two = await svix.application.create(ApplicationIn(name="two"))
    await svix.endpoint.create(one.id, EndpointIn(url="https://example.com", event_types=["b", "a"]))
    await svix.endpoint.create(two.id, EndpointIn(url="https://example.com"))
    task = await svix.statistics.aggregate_event_types()
    assert (await finished(svix, task.id))["event_types"] == [
        {"appId": one.id, "explicitlySubscribedEventTypes": ["a", "b"], "hasCatchAllEndpoint": False},
        {"appId": two.id, "explicitlySubscribedEventTypes": [], "hasCatchAllEndpoint": True},
    ]
