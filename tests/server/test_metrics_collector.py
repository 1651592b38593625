"""The metrics of an embedded engine, in a registry of the program that has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from engines import until
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from webhook_engine import Engine, SharedEngine, SyncEngine, SyncSharedEngine


def value(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(f"webhook_engine_{name}")


async def test_the_registry_of_the_process_has_them_in_any_thread_and_in_the_loop(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "webhooks.db")
    collector = engine.metrics_collector()
    REGISTRY.register(collector)
    try:
        assert value(REGISTRY, "up") == 0
        async with engine:
            await engine.applications.create(name="Acme", uid="acme")
            await engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
            assert value(REGISTRY, "up") == 1
            assert value(REGISTRY, "messages_accepted_total") == 1
            assert await asyncio.to_thread(value, REGISTRY, "messages_accepted_total") == 1

            async def has_asked_the_database() -> bool:
                return bool(value(REGISTRY, "database_size_bytes"))

            await until(has_asked_the_database)
            text = (await asyncio.to_thread(generate_latest, REGISTRY)).decode()
            assert "python_info" in text
            assert "webhook_engine_attempt_duration_seconds_bucket" in text
            assert "event_loop_lag" not in text
        assert value(REGISTRY, "up") == 0
        async with engine:
            assert await asyncio.to_thread(value, REGISTRY, "up") == 1
    finally:
        REGISTRY.unregister(collector)


def test_they_can_be_had_without_an_event_loop(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    with SyncEngine.open(tmp_path / "webhooks.db") as engine:
        registry.register(engine.metrics_collector())
        engine.applications.create(name="Acme", uid="acme")
        engine.messages.create("acme", event_type="invoice.paid", payload={"id": 1})
        assert value(registry, "messages_accepted_total") == 1
        assert (value(registry, "database_size_bytes") or 0) > 0
    assert value(registry, "up") == 0


async def test_where_another_process_leads_the_engine_is_not_up(tmp_path: Path) -> None:
    leading, waiting = CollectorRegistry(), CollectorRegistry()
    async with (
        SharedEngine.open(tmp_path / "webhooks.db") as first,
        SharedEngine.open(tmp_path / "webhooks.db") as second,
    ):
        leading.register(first.metrics_collector())
        waiting.register(second.metrics_collector())
        assert (value(leading, "up"), value(waiting, "up")) == (1, 0)
    assert SyncSharedEngine.open(tmp_path / "webhooks.db").metrics_collector()


async def test_two_engines_need_two_registries(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Engine.open(tmp_path / "one.db").metrics_collector())
    with pytest.raises(ValueError, match="webhook_engine"):
        registry.register(Engine.open(tmp_path / "two.db").metrics_collector())
