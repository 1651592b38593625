"""Attempts over time by result, answer and duration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from api_clients import Client
from receivers import Receiver, Reply

from webhook_engine import Engine
from webhook_engine.server.api import charts


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [({}, 0.5, None), ({5: 1}, 0.95, 5), ({1: 50, 9: 50}, 0.5, 1), ({1: 94, 9: 6}, 0.95, 9), ({1: 95, 9: 5}, 0.95, 1)],
)
def test_a_percentile_is_a_value_that_was_counted(counts: dict[int, int], share: float, value: int | None) -> None:
    assert charts.percentile(counts, share) == value


class TestOverTime:
    @pytest.fixture
    def settings(self) -> dict[str, object]:
        return {"retry_schedule": [], "allow_subnets": ["127.0.0.0/8"]}

    @pytest_asyncio.fixture
    async def answered(self, acme: Client, engine: Engine) -> list[str]:
        """Two endpoints: one was answered by 200 and 404, the other by 500 and not at all."""
        codes = iter((200, 404))
        async with Receiver(lambda _: next(codes)) as first, Receiver(Reply(500)) as second:
            ids = [(await engine.endpoints.create("acme", url=one.url)).id for one in (first, second)]
            await engine.messages.create("acme", event_type="a", payload={})
            await engine.join(10)
            await second.__aexit__(None, None, None)
            await engine.messages.create("acme", event_type="a", payload={})
            await engine.join(10)
        return ids

    async def test_of_an_endpoint_and_of_all(self, acme: Client, answered: list[str]) -> None:
        first, second = [(await acme.get(f"/app/acme/endpoint/{one}/stats/by-time?parts=4")).json for one in answered]
        whole = (await acme.get("/app/acme/stats/by-time?parts=4")).json
        assert [(each["data"][-1]["success"], each["data"][-1]["fail"]) for each in (first, second, whole)] == [
            (1, 1),
            (0, 2),
            (1, 3),
        ]
        assert whole["data"][-1]["answers"] == {"succeeded": 1, "redirected": 0, "refused": 1, "broken": 1, "none": 1}
        assert 0 <= whole["p50Ms"] <= whole["p95Ms"]
        assert whole["sampled"] is False
        assert whole["data"][0]["p95Ms"] is None

    async def test_very_many_are_counted_and_a_part_of_them_is_looked_at(
        self, acme: Client, answered: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(charts, "MOST_TIMED", 3)
        since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
        whole = (await acme.get(f"/app/acme/stats/by-time?parts=1&since={since}")).json
        assert whole["sampled"] is True
        [part] = whole["data"]
        assert (part["success"], part["fail"]) == (1, 3)

    async def test_the_span_is_bounded(self, acme: Client) -> None:
        told = (await acme.get("/app/acme/stats/by-time?since=2000-01-01T00:00:00Z")).json
        span = datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"])
        assert span <= timedelta(days=30, minutes=5)
        assert (await acme.get("/app/acme/stats/by-time?parts=97")).status in (400, 422)
        assert (await acme.get("/app/acme/endpoint/ep_none/stats/by-time")).status == 404
