"""The engine's metrics in the Prometheus format.

A scrape reads numbers from memory. Those that only the database knows are queried every few seconds at most, and the
less often the longer the query takes. No label names an endpoint, an application or a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from webhook_engine.core import EngineCore
from webhook_engine.delivery.http.response import FailureKind
from webhook_engine.delivery.measures import SUCCESS, Histogram
from webhook_engine.delivery.troubles import Lack
from webhook_engine.errors import StoreError
from webhook_engine.log import get_logger
from webhook_engine.loop_lock import LoopLock
from webhook_engine.server.acceptor import Acceptor
from webhook_engine.store.upkeep import StoreFigures
from webhook_engine.version import __version__

__all__ = ["EngineCollector", "Exposition"]

PREFIX = "webhook_engine_"
COUNT_LIMIT = 1_000_000
"""Deliveries are counted up to this number."""
LOOKS_EVERY_S = 3.0
LOOK_SHARE = 0.02
"""The largest share of time to spend on querying the database."""
LONGEST_COLLECT_S = 5.0
"""How long a collecting thread waits for the engine's event loop."""


log = get_logger("metrics")


class Figures:
    """An engine's counters, and the results of the last database query."""

    def __init__(
        self,
        engine: EngineCore,
        loop_lag: Histogram | None = None,
        acceptor: Callable[[], Acceptor | None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._loop_lag = loop_lag
        self._acceptor = acceptor
        self._figures = StoreFigures()
        self._look_again_at = 0.0
        self._looking = LoopLock()

    def metrics(self) -> Iterator[Metric]:
        """Yield every metric; call it in the engine's event loop, or while the engine does not run."""
        yield from self._counters()
        yield from self._histograms()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        measures = self._engine.measures
        yield _counter("messages_accepted", "Messages stored with their deliveries.", measures.accepted)
        attempts = CounterMetricFamily(
            f"{PREFIX}attempts", "Attempts by outcome, and by the kind of failure.", labels=("outcome", "failure")
        )
        for kind in (SUCCESS, *FailureKind):
            outcome = "success" if kind == SUCCESS else "failure"
            attempts.add_metric((outcome, str(kind)), measures.attempts[kind])
        yield attempts
        settled = CounterMetricFamily(
            f"{PREFIX}deliveries_settled", "Deliveries that came to their end with an attempt.", labels=("outcome",)
        )
        for outcome, count in measures.settled.items():
            settled.add_metric((outcome,), count)
        yield settled
        lacks = CounterMetricFamily(
            f"{PREFIX}lacks", "How often the engine itself lacked something, by what.", labels=("what",)
        )
        for lack in Lack:
            lacks.add_metric((lack.value,), measures.troubles.count(lack))
        yield lacks
        if (acceptor := self._acceptor()) is not None:
            turned_away = CounterMetricFamily(
                f"{PREFIX}server_connections_turned_away", "Connections for which there was no room.", labels=("how",)
            )
            turned_away.add_metric(("closed_while_idle",), acceptor.crowded_out)
            turned_away.add_metric(("refused",), acceptor.refused)
            yield turned_away
        retention = measures.retention
        yield _counter("retention_payloads_deleted", "Payloads deleted by retention.", retention["payloads"])
        yield _counter("retention_messages_deleted", "Messages deleted by retention.", retention["messages"])
        yield _counter("retention_freed_bytes", "Bytes given back to the file system.", retention["bytes"])

    def _histograms(self) -> Iterator[Metric]:
        measures = self._engine.measures
        yield _histogram("attempt_duration_seconds", "How long attempts took, in all.", measures.attempt_seconds)
        yield _histogram("delivery_lag_seconds", "From due to begun, of each attempt.", measures.lag_seconds)
        yield _histogram("commit_changes", "Changes that were committed together.", measures.commit_changes)
        yield _histogram("commit_duration_seconds", "How long commits took.", measures.commit_seconds)
        if self._loop_lag is not None:
            yield _histogram("event_loop_lag_seconds", "How late the event loop was.", self._loop_lag)

    def _gauges(self) -> Iterator[Metric]:
        lanes, share = self._engine.lane_figures(), self._engine.share()
        yield _gauge("up", "Whether the engine delivers.", self._engine.running)
        yield _gauge("requests_in_flight", "Attempts that wait for their response.", lanes.in_flight)
        yield _gauge("queue_depth", "Deliveries in memory that are due and wait.", lanes.queued)
        yield _gauge("lanes_throttled", "Endpoints with something due that must wait.", lanes.throttled)
        yield _gauge("lanes_paused", "Endpoints whose circuit breaker has them wait.", lanes.paused)
        standing = GaugeMetricFamily(
            f"{PREFIX}lanes", "Endpoints in memory, by how they answered last.", labels=("standing",)
        )
        for name, count in lanes.by_standing.items():
            standing.add_metric((name.name.lower(),), count)
        yield standing
        yield _gauge("shards", "Parts of all endpoints, of 1,024, that this engine sends to.", share.shards)
        if share.speaks_for_all:
            yield from self._of_the_database(share.members)
        if (acceptor := self._acceptor()) is not None:
            yield _gauge("server_connections", "Connections to the server.", len(acceptor))
            yield _gauge("server_connections_limit", "How many there may be now.", acceptor.most)
        info = GaugeMetricFamily(f"{PREFIX}info", "The version that runs.", labels=("version",))
        info.add_metric((__version__,), 1)
        yield info

    def _of_the_database(self, members: int) -> Iterator[Metric]:
        """Metrics that only one of the engines on a database reports, so that sums over engines are right."""
        figures, now = self._figures, self._engine.services.clock.now()
        oldest = 0.0 if figures.oldest_due_at is None else max(0.0, (now - figures.oldest_due_at) / 1_000_000)
        yield _gauge("members", "Engines on the database.", members)
        yield _gauge("deliveries_pending", f"Deliveries scheduled, up to {COUNT_LIMIT}.", figures.pending)
        yield _gauge("oldest_pending_age_seconds", "How long the first delivery has been due.", oldest)
        yield _gauge("endpoints_disabled", "Endpoints that are disabled.", figures.disabled_endpoints)
        yield _gauge("outbox_waiting", "Outbox rows that wait to be moved.", figures.outbox_waiting)
        yield _gauge("outbox_set_aside", "Outbox rows that can never be delivered.", figures.outbox_set_aside)
        yield _gauge("database_size_bytes", "The database with its write-ahead log.", figures.size_bytes)
        yield _gauge("database_free_bytes", "Of the database, what is free.", figures.free_bytes)

    async def look(self) -> None:
        """Query the database, unless that was done a moment ago or another engine reports these metrics."""
        if not self._engine.share().speaks_for_all:
            return
        loop = asyncio.get_running_loop()
        async with self._looking.here():
            began_at = loop.time()
            if began_at < self._look_again_at:
                return
            # While the database fails, the last figures stay.
            with suppress(StoreError):
                self._figures = await self._engine.services.store.upkeep.figures(COUNT_LIMIT)
            ended_at = loop.time()
            self._look_again_at = ended_at + max(LOOKS_EVERY_S, (ended_at - began_at) / LOOK_SHARE)


class EngineCollector(Collector):
    """The metrics of an engine, for a registry of the host program: ``REGISTRY.register(engine.metrics_collector())``.

    It may be collected in any thread, whether the engine runs or not. Two engines in one process need two registries.
    """

    def __init__(self, engine: EngineCore) -> None:
        self._engine = engine
        self._figures = Figures(engine)
        self._look: asyncio.Task[None] | None = None

    def describe(self) -> Iterator[Metric]:
        """The metrics' names, which a registry asks for first."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; if the engine's event loop does not answer, only that the engine is not up."""
        loop = self._engine.loop
        if loop is None or loop is _running_loop():
            if loop is not None and (self._look is None or self._look.done()):
                # This thread cannot wait for the database, so the query is for the next scrape.
                self._look = loop.create_task(self._figures.look(), name="webhook-engine-metrics")
            return iter(list(self._figures.metrics()))
        collecting = self._collected()
        try:
            collected = asyncio.run_coroutine_threadsafe(collecting, loop)
        except RuntimeError as error:  # The loop was closed just now.
            collecting.close()
            return self._unanswered(error)
        try:
            return iter(collected.result(LONGEST_COLLECT_S))
        except (TimeoutError, CancelledError) as error:
            collected.cancel()
            return self._unanswered(error)

    def _unanswered(self, error: Exception) -> Iterator[Metric]:
        log.warning("metrics.not_collected", error=repr(error))
        return iter([_gauge("up", "Whether the engine delivers.", False)])

    async def _collected(self) -> list[Metric]:
        await self._figures.look()
        return list(self._figures.metrics())


class Exposition(Collector):
    """The metrics of a serving engine, as text."""

    def __init__(self, engine: EngineCore, loop_lag: Histogram, acceptor: Callable[[], Acceptor | None]) -> None:
        """``loop_lag``: the delays of the event loop; ``acceptor``: accepts connections, while there is one."""
        self._figures = Figures(engine, loop_lag, acceptor)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Render the metrics in an accepted format; returns the text and its content type."""
        await self._figures.look()
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is not a number
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        return self._figures.metrics()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}{name}", documentation, value=value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}{name}", documentation, value=value)


def _histogram(name: str, documentation: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"{PREFIX}{name}", documentation, buckets=list(histogram.buckets()), sum_value=histogram.total
    )
