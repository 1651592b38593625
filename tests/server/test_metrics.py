"""``/metrics``, and the dashboard and the alerts that go with it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psycopg
import pytest
import yaml
from engines import acme, local_engine, send, send_many, until
from prometheus_client.parser import text_string_to_metric_families
from receivers import Receiver, Reply
from stores import query

from webhook_engine import Config, Engine
from webhook_engine.delivery.troubles import Lack
from webhook_engine.server import metrics

DOCS = Path(__file__).parents[2] / "docs" / "monitoring"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.db"


@pytest.fixture
async def engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    monkeypatch.setattr(metrics, "LOOKS_EVERY_S", 0.0)
    monkeypatch.setattr(metrics, "LOOK_SHARE", 1e9)
    async with local_engine(path, retry_schedule=["1h"]) as running:
        yield running


async def text_of(engine: Engine) -> str:
    async with (
        engine.serve("127.0.0.1:0") as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/metrics") as response,
    ):
        assert response.status == 200
        return await response.text()


async def scrape(engine: Engine) -> Samples:
    text = await text_of(engine)
    return {
        (sample.name.removeprefix("webhook_engine_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


async def test_it_counts_what_happens(engine: Engine) -> None:
    async with Receiver() as good, Receiver(Reply(503)) as bad:
        await acme(engine, good.url)
        failing = await acme(engine, bad.url)
        await acme(engine, "http://10.0.0.1/")
        await send_many(engine, 5)
        await until(lambda: engine.measures.attempts.total() == 15)
        await engine.join(timeout=5)
        samples = await scrape(engine)
    assert value(samples, "messages_accepted_total") == 5
    assert value(samples, "attempts_total", outcome="success", failure="none") == 5
    assert value(samples, "attempts_total", outcome="failure", failure="status") == 5
    assert value(samples, "attempts_total", outcome="failure", failure="blocked") == 5
    assert value(samples, "attempts_total", outcome="failure", failure="tls") == 0
    assert value(samples, "deliveries_settled_total", outcome="succeeded") == 5
    assert value(samples, "attempt_duration_seconds_count") == 15
    assert value(samples, "delivery_lag_seconds_bucket", le="+Inf") == 15
    assert value(samples, "delivery_lag_seconds_bucket", le="5.0") == 15
    assert value(samples, "commit_duration_seconds_count") > 0
    assert value(samples, "deliveries_pending") == 10
    assert value(samples, "oldest_pending_age_seconds") == 0
    assert value(samples, "requests_in_flight") == 0
    assert value(samples, "endpoints_disabled") == 0
    assert value(samples, "database_size_bytes") > 4096
    await engine.endpoints.disable("acme", failing.id)
    samples = await scrape(engine)
    assert value(samples, "endpoints_disabled") == 1
    assert value(samples, "deliveries_pending") == 5


async def test_it_tells_what_the_engine_lacks_and_who_is_connected(engine: Engine) -> None:
    engine.measures.troubles.met(Lack.PROXY, "it answered 407", 0)
    samples = await scrape(engine)
    assert {lack: value(samples, "lacks_total", what=lack.value) for lack in Lack} == {
        lack: lack is Lack.PROXY for lack in Lack
    }
    assert value(samples, "server_connections") == 1
    assert 1 < value(samples, "server_connections_limit") <= 4096
    assert value(samples, "server_connections_turned_away_total", how="refused") == 0
    assert value(samples, "server_connections_turned_away_total", how="closed_while_idle") == 0


async def test_the_oldest_that_is_due_is_found_among_all_endpoints(engine: Engine, path: Path) -> None:
    async with Receiver(Reply(503)) as bad:
        for _ in range(3):
            await acme(engine, bad.url)
        await send(engine)
        await until(lambda: engine.measures.attempts.total() == 3)
        await engine.join(timeout=5)
    query(
        path,
        "UPDATE webhook_delivery SET due_at = due_at - 7200000000"
        " WHERE endpoint_id = (SELECT max(id) FROM webhook_endpoint)",
    )
    age = value(await scrape(engine), "oldest_pending_age_seconds")
    assert 3000 < age < 4500


async def test_its_size_does_not_depend_on_how_much_there_is(engine: Engine) -> None:
    async with Receiver() as receiver:
        before = set(await scrape(engine))
        for _ in range(20):
            await acme(engine, receiver.url)
        await send_many(engine, 3)
        await engine.join(timeout=5)
        assert set(await scrape(engine)) == before


async def test_every_name_is_ours_and_said_in_words(engine: Engine) -> None:
    text = await text_of(engine)
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("webhook_engine_")
        assert family.documentation.endswith(".")


async def test_the_database_is_not_asked_at_every_scrape(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LOOKS_EVERY_S", 60.0)
    asked = []
    upkeep = engine.services.store.upkeep
    look = upkeep.figures
    monkeypatch.setattr(upkeep, "figures", lambda limit: asked.append(limit) or look(limit))
    async with engine.serve("127.0.0.1:0") as server, aiohttp.ClientSession() as session:
        for _ in range(5):
            await (await session.get(f"{server.url}/metrics")).read()
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "prometheus-alerts.yaml"])
async def test_what_is_shown_and_alerted_on_exists(engine: Engine, name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    known = {f"webhook_engine_{metric}" for metric, _ in await scrape(engine)}
    used = set(re.findall(r"webhook_engine_\w+", text))
    assert used
    assert used <= known
    if name.endswith(".json"):
        bases = {re.sub(r"_(bucket|count|sum|created)$", "", metric) for metric in known}
        assert bases == {re.sub(r"_(bucket|count|sum)$", "", metric) for metric in used}
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert all(panel["description"] for panel in panels)
    else:
        rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
        assert all(
            rule["expr"] and rule["annotations"]["summary"] and rule["annotations"]["description"] for rule in rules
        )
        labels = set(re.findall(r'failure=~"([^"]+)"', text)[0].split("|"))
        assert labels <= {dict(each).get("failure") for _, each in await scrape(engine)}


async def test_what_is_of_a_whole_database_is_told_by_one_of_its_engines(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a dashboard that adds the engines up shows what is there, and not a multiple of it."""
    monkeypatch.chdir(tmp_path)
    config = Config.for_database(postgresql_url, store__schema="metrics", allow_subnets=["127.0.0.0/8"])
    try:
        async with Engine(config) as first, Engine(config) as second, Receiver(Reply(503)) as bad:
            await acme(first, bad.url)
            await send_many(first, 3)

            async def summed() -> dict[str, float]:
                found = [await scrape(engine) for engine in (first, second)]
                names = ("shards", "members", "deliveries_pending", "attempts_total")
                return {
                    name: sum(number for samples in found for (metric, _), number in samples.items() if metric == name)
                    for name in names
                }

            async def shared() -> bool:
                held = [engine.share().shards for engine in (first, second)]
                return sum(held) == 1024 and 0 not in held

            await until(lambda: first.measures.attempts.total() + second.measures.attempts.total() == 3)
            await until(shared)
            monkeypatch.setattr(metrics, "LOOKS_EVERY_S", 0.0)
            assert await summed() == {"shards": 1024, "members": 2, "deliveries_pending": 3, "attempts_total": 3}
    finally:
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = error")
            connection.execute("DROP SCHEMA IF EXISTS metrics CASCADE")


async def test_an_engine_on_a_file_speaks_for_all_of_it(engine: Engine) -> None:
    samples = await scrape(engine)
    assert (value(samples, "members"), value(samples, "shards")) == (1, 1024)
