"""A world made of one seed: the engine in it, those who use it, those who receive, and what goes wrong.

The seed draws which faults there are at all, how often each comes, how large queues and pages are, and every choice
after that. So no two seeds try the same mixture, and the same seed always gives the same world.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import math
import random
import re
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from simulation.breaker import Met, check_breaker
from simulation.disk import Disk
from simulation.memory import Bounds
from simulation.model import Delivery, Endpoint, Life, Message, Model, Span
from simulation.network import EOF, RESET, Network, Plan, Received
from simulation.options import (
    CANCELLED_WORD,
    FILTERS,
    KINDS,
    TRANSFORMATION,
    WORDS,
    change,
    drawn,
    wanted_words,
)
from simulation.orders import Made, Tried
from simulation.seams import SimulatedClock, simulated
from simulation.shared import Server, shared, with_shards
from simulation.timeline import ProcessLoop, Timeline

from webhook_engine import Config, EndpointDisabledEvent, Engine, WebhookEngineError
from webhook_engine.clock import from_datetime, to_datetime
from webhook_engine.delivery import timekeeper
from webhook_engine.delivery.accept import relay, router
from webhook_engine.delivery.attempt import recorder
from webhook_engine.delivery.attempt.attempt import Attempter, Begun
from webhook_engine.delivery.attempt.target import Target
from webhook_engine.delivery.http.tls import client_context
from webhook_engine.delivery.schedule import dispatcher, lane
from webhook_engine.delivery.tasks import runner
from webhook_engine.delivery.upkeep import backlog, retention
from webhook_engine.delivery.upkeep.retention import RetentionPolicy
from webhook_engine.ids import timestamp_of
from webhook_engine.store import directory
from webhook_engine.store.members import shard_of
from webhook_engine.store.order import NOT_YET
from webhook_engine.store.records import Due
from webhook_engine.store.sqlite.store import SqliteStore

__all__ = ["Result", "prepare", "simulate"]

BEGAN_AT = datetime(2030, 1, 1, tzinfo=UTC)
EVENT_TYPES = ("user.created", "invoice.paid", "invoice.voided")
LOOK_AT_MEMORY_EVERY_S = 0.5
KEEPS_UP_WITH = 8
"""Deliveries kept in memory with which an engine keeps up in each world."""
LOOKS = 8
"""How often the stored schedule is looked at in each world."""
DAY = 86_400.0
LONG_S = 365 * DAY
"""Nothing is kept for so long that the end of it is met."""

FAULTS = (
    "failing", "slow", "hanging", "dripping", "resetting", "busy-receiver", "gone", "odd", "refusing", "silent",
    "names",
    "crash", "power", "restart", "crash-at-commit", "disk-full", "disk-busy", "disk-failing", "disk-slow",
    "pause", "clock-jump", "clock-drift", "clock-stands", "descriptors", "idle-drop", "cut-off", "late",
)  # fmt: skip
ACTIONS = (
    "create", "burst", "outbox", "later", "resend", "disable", "enable", "filter", "rotate", "delete", "add", "recover",
    "replay", "expunge", "cancel", "read", "throttle",
)  # fmt: skip


@dataclass
class Draw:
    """What a seed decides beforehand."""

    days: bool
    hosts: int
    """On how many machines an engine runs; several share one server."""
    span_s: float
    faults: dict[str, float]
    """Those that there are, with the seconds between two of a kind."""
    actions: dict[str, float]
    ladder: list[str]
    ladder_s: list[float]
    kinds: Sequence[str]
    """What endpoints may ask for, see ``options``."""
    jitter: float
    window_s: float
    timeout_s: float
    write_s: float
    max_in_flight: int
    max_per_endpoint: int
    applications: int
    endpoints: int
    throttled: float
    small: bool
    look_every_s: float
    tunables: dict[str, int]


def draw(
    chance: random.Random,
    *,
    days: bool | None = None,
    hosts: int | None = None,
    span_s: float | None = None,
    kinds: Sequence[str] = (),
) -> Draw:
    """Draw the mixture of a world."""
    days = chance.random() < 0.25 if days is None else days
    hosts = chance.choice((1, 1, 2, 3)) if hosts is None else hosts
    hosts = 1 if days else hosts
    span_s = (chance.choice((2, 5, 7)) * DAY if days else chance.uniform(30, 90)) if span_s is None else span_s
    calm = chance.random() < 0.15
    share = 0.0 if calm else chance.choice((0.15, 0.3, 0.6))
    every = span_s / 15 if days else 10.0
    faults = {
        fault: every * chance.uniform(0.5, 4.0)
        for fault in FAULTS
        if chance.random() < share and _fits(fault, days, hosts)
    }
    # A world with only one kind of trouble shows what others would hide.
    if faults and chance.random() < 0.2:
        only = chance.choice(sorted(faults))
        faults = {only: faults[only] / 2}
    messages = chance.choice((40, 100, 200))
    actions = {"create": span_s / messages}
    for action in ACTIONS[1:]:
        if chance.random() < 0.5:
            actions[action] = span_s / chance.choice((2, 4, 10))
    if days:
        ladder, ladder_s = ["5s", "5m", "30m", "2h", "5h", "10h", "10h"], [5, 300, 1800, 7200, 18000, 36000, 36000]
        window_s, timeout_s = 5 * DAY, 15.0
    else:
        ladder_s = [chance.choice((0.05, 0.5, 1, 2, 5, 10)) for _ in range(chance.randint(1, 6))]
        ladder = [f"{round(delay * 1000)}ms" for delay in ladder_s]
        window_s, timeout_s = chance.choice((10.0, 20.0, 40.0)), chance.choice((2.0, 5.0))
    small = chance.random() < 0.5
    if kinds:
        # Each on its own in some worlds, and all together in others.
        share = chance.choice((0.3, 0.6, 1.0))
        kinds = [kind for kind in kinds if chance.random() < share]
        for action in ("skip", "go_on"):
            actions[action] = span_s / chance.choice((2, 4, 10))
    return Draw(
        days=days,
        hosts=hosts,
        span_s=span_s,
        faults=faults,
        actions=actions,
        ladder=ladder,
        ladder_s=[float(one) for one in ladder_s],
        kinds=kinds,
        jitter=chance.choice((0.0, 0.2, 0.2, 0.5)),
        window_s=window_s,
        timeout_s=timeout_s,
        write_s=chance.choice((0.001, 0.001, 0.02, 0.2)),
        max_in_flight=chance.choice((2, 8, 64, 512)),
        max_per_endpoint=chance.choice((1, 2, 8, 64)),
        applications=chance.randint(1, 2),
        endpoints=chance.randint(1, 4),
        throttled=chance.choice((0.0, 0.0, 0.5)),
        small=small,
        look_every_s=span_s / 200 if days else chance.choice((0.2, 0.5, 2.0)),
        tunables={
            "lane.MAX_QUEUED": chance.choice((2, 8, 64)),
            "lane.MAX_QUEUED_UNPROVEN": chance.choice((1, 4, 32)),
            "lane.ROOM_FOR_MANUAL": chance.choice((1, 4)),
            "dispatcher.REFILL": chance.choice((2, 10, 100)),
            "dispatcher.SCAN_PAGE": chance.choice((1, 3)),
            "dispatcher.SETTLE_PAGE": chance.choice((1, 7)),
            "dispatcher.MAX_ERRANDS": chance.choice((1, 3, 100)),
            "router.MAX_BATCH": chance.choice((1, 5, 1000)),
            "recorder.MAX_BATCH": chance.choice((1, 5, 1000)),
            "runner.PAGE": chance.choice((1, 3, 50)),
            "relay.PAGE": chance.choice((1, 3, 50)),
            "directory.CAPACITY": chance.choice((1, 2, 1000)),
            "timekeeper.PAGE": chance.choice((1, 5)),
        }
        if small
        else {},
    )


def _fits(fault: str, days: bool, hosts: int) -> bool:
    if fault in ("cut-off", "late"):
        return hosts > 1
    if fault.startswith("clock") and hosts > 1:
        return False
    # In a world of days the engine looks at its clocks seldom: a pause would pass unseen there.
    return not (days and fault in ("pause", "clock-drift", "clock-stands", "disk-slow"))


@contextmanager
def _paces(drawn: Draw) -> Iterator[None]:
    modules = {
        "lane": lane,
        "dispatcher": dispatcher,
        "router": router,
        "recorder": recorder,
        "runner": runner,
        "relay": relay,
        "directory": directory,
        "timekeeper": timekeeper,
    }
    with ExitStack() as stack:
        for name, value in drawn.tunables.items():
            module, _, constant = name.partition(".")
            stack.enter_context(mock.patch.object(modules[module], constant, value))
        stack.enter_context(mock.patch.object(relay, "LOOK_EVERY_S", drawn.look_every_s))
        if not any(fault.startswith("clock") for fault in drawn.faults):
            # It naps for so short a time only to notice that a clock was set: here a wake-up that is forgotten shows.
            stack.enter_context(mock.patch.object(dispatcher, "LONGEST_NAP_S", 0.5))
        if drawn.days:
            for module, constant, seconds in (
                (dispatcher, "LONGEST_NAP_S", 7_200.0),
                (retention, "LONGEST_NAP_S", 7_200.0),
                (backlog, "LOOK_EVERY_S", 7_200.0),
                (timekeeper, "KEPT_EVERY_S", 7_200.0),
                (recorder, "LONGEST_PAUSE_S", 60.0),
            ):
                stack.enter_context(mock.patch.object(module, constant, seconds))
        yield


@dataclass
class Result:
    """What came of a world."""

    seed: int
    violations: list[str]
    trace: str
    simulated_s: float
    messages: int
    requests: int
    lives: int
    engines: int | None = None
    """On how many machines, where that was not drawn."""
    log: list[str] = field(default_factory=list)


class _Receiver:
    """One host, and how it behaves at present."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mode = "ok"
        self.until = 0.0


@dataclass
class _Lists:
    """What messages say of an endpoint."""

    deliveries: dict[str, str] = field(default_factory=dict)
    """States of deliveries, by the id of the message."""
    attempts: set[str] = field(default_factory=set)
    """Ids."""


class Host:
    """A machine with a process in which an engine runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine: Engine | None = None
        self.loop: ProcessLoop | None = None
        self.life: Life

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.loop is not None and not self.loop.dead


class World:
    """Everything in it."""

    def __init__(self, seed: int, folder: Path, **fixed: Any) -> None:
        self.seed = seed
        self._folder = str(folder)
        self.chance = random.Random(seed)
        # In every second world endpoints ask for more than the ordinary.
        plain = fixed.pop("plain", False)
        asked_for = KINDS if random.Random(f"kinds {seed}").random() < 0.5 and not plain else ()
        self.draw = draw(self.chance, **{"kinds": asked_for, **fixed})
        self._fixed_hosts = fixed.get("hosts")
        self.timeline = Timeline()
        self.network = Network(self.timeline, random.Random(self.chance.getrandbits(64)))
        self.network.on_request = self._received
        self.network.on_left = self._left
        self.disk = Disk(self.timeline, random.Random(self.chance.getrandbits(64)), folder)
        self.clock = SimulatedClock(self.timeline, from_datetime(BEGAN_AT), leaps=self.draw.days)
        self.model = Model(
            self.draw.jitter,
            self.draw.window_s,
            self._longest_timeout_s(),
            max_in_flight=self.draw.max_in_flight,
            max_per_endpoint=self.draw.max_per_endpoint,
        )
        # Each of these has chances of its own, so that the rest of a world is as it was before they came.
        if random.Random(f"moves {seed}").random() < 0.5:
            self.draw.actions["move"] = self.draw.span_s / 8
        if (cancels := random.Random(f"cancels {seed}")).random() < 0.3:
            self.draw.actions["cancel_many"] = self.draw.span_s / cancels.choice((3, 8))
        if "breaker" in self.draw.kinds:
            self.draw.actions["outage"] = self.draw.span_s / 4
        self._hurry = random.Random(f"hurry {seed}")
        if self._hurry.random() < 0.5:
            self.draw.actions["hurry"] = self.draw.span_s / 6
        retention = random.Random(f"retention {seed}")
        if retention.random() < 0.25 and not plain:
            self.model.attempts_kept_s = self._scale() * retention.choice((20.0, 60.0))
            self.model.payload_kept_s = min(self._scale() * retention.choice((5.0, 30.0)), self.model.attempts_kept_s)
        bounds = random.Random(f"bounds {seed}")
        self.bounds = Bounds.drawn(bounds) if bounds.random() < 0.3 and not plain else None
        # Where few requests may be under way at once, a burst takes its time. Where few deliveries are kept, the disk
        # says how many are sent in a second, and more may come.
        self.model.patience_s = 4.0 if self.draw.max_in_flight >= 64 and self.draw.max_per_endpoint >= 8 else 60.0
        if self.bounds is not None and self.bounds.queued_in_all < KEEPS_UP_WITH:
            self.model.patience_s = 240.0
        self.disk.write_s = self.model.write_s = self.draw.write_s
        self.model.kept_every_s = 7_200.0 if self.draw.days else 60.0
        self.hosts = [
            Host("engine" if self.draw.hosts == 1 else f"engine-{number + 1}") for number in range(self.draw.hosts)
        ]
        self.server = Server(self.timeline, random.Random(self.chance.getrandbits(64))) if self.draw.hosts > 1 else None
        if self.server is not None:
            self.server.violated = self.violated
            self.disk.is_shared, self.disk.on_connected = True, with_shards
            # Who is cut off sends by what it knows until its lease ends, and another looks for it then.
            self.model.lag_s = 12.0
        self.ready = False
        self.healing = False
        self.log: list[str] = []
        self.requests = 0
        self._trace = hashlib.sha256()
        self._receivers: dict[str, _Receiver] = {}
        self._crash_at_commit: tuple[int, str] | None = None
        self._keys = 0
        self._verdicts: dict[int, list[tuple[Delivery, int]]] = {}
        self.disk.on_commit = self._on_commit
        self._ended = False
        self._quiet_s = 0.0

    def _longest_timeout_s(self) -> float:
        return self.draw.timeout_s * (1.5 if "own-timeout" in self.draw.kinds else 1.0)

    # What is told of it.

    def say(self, text: str) -> None:
        """Something happened: it goes into the log, and into the trace."""
        line = f"{self.timeline.now:14.6f} {text.replace(self._folder, 'disk')[:300]}"
        self._trace.update(line.encode())
        self.log.append(line)

    def violated(self, what: str) -> None:
        """Something does not hold: the world ends here."""
        self.model.violated(what)

    def result(self) -> Result:
        """What came of it."""
        return Result(
            self.seed,
            self.model.violations,
            self._trace.hexdigest(),
            self.timeline.now,
            len(self.model.messages),
            self.requests,
            len(self.model.lives),
            self._fixed_hosts,
            self.log,
        )

    # The engine's lives.

    @property
    def engine(self) -> Engine | None:
        """One that runs, whichever."""
        running = [host for host in self.hosts if host.engine is not None and host.alive]
        if not running:
            return None
        return running[0].engine if len(running) == 1 else self.chance.choice(running).engine

    def _host_of(self, engine: Engine) -> Host:
        return next(host for host in self.hosts if host.engine is engine)

    def _some_host(self) -> Host | None:
        alive = [host for host in self.hosts if host.alive]
        return self.chance.choice(alive) if alive else None

    def begin_life(self, host: Host) -> None:
        """A process starts, and the engine in it; where one runs, it goes on."""
        if self._ended or host.alive:
            return
        life = host.life = Life(f"life-{len(self.model.lives) + 1}", self.timeline.now)
        self.model.lives.append(life)
        loop = host.loop = ProcessLoop(self.timeline, life.name, self._failed)
        loop.network, loop.disk = self.network, self.disk
        self.say(f"{life.name} of {host.name} begins")
        living = loop.create_task(self._live(host, loop, life), name=f"{life.name}-host")
        living.add_done_callback(self._lived)

    def _lived(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, WebhookEngineError):
            self.violated(f"{task.get_name()} failed: {error!r}")
            self._end()

    async def _live(self, host: Host, loop: ProcessLoop, life: Life) -> None:
        drawn = self.draw
        config = Config.for_database(
            self.disk.path,
            security__main_secret="m" * 40,
            retry_schedule=drawn.ladder,
            jitter=drawn.jitter,
            failure_window=timedelta(seconds=drawn.window_s),
            timeout=timedelta(seconds=drawn.timeout_s),
            shutdown_grace=timedelta(seconds=2),
            max_in_flight=drawn.max_in_flight,
            max_in_flight_per_endpoint=drawn.max_per_endpoint,
            retention__payload=timedelta(seconds=min(self.model.payload_kept_s, LONG_S)),
            retention__attempts=timedelta(seconds=min(self.model.attempts_kept_s, LONG_S)),
        )
        engine = Engine(config, clock=self.clock)
        engine.on(EndpointDisabledEvent)(self._disabled)
        engine.transformation(TRANSFORMATION)(change)
        try:
            await engine.start()
        except WebhookEngineError as error:
            self.say(f"{life.name} could not start: {error}")
            life.ended = self.timeline.now
            self.network.cut(loop)
            self.disk.cut(loop, power=False)
            loop.die()
            self.timeline.after(self._scale(), self.begin_life, host)
            return
        host.engine = engine
        life.up = self.timeline.now
        self.say(f"{life.name} is up")
        if not self.ready:
            await self._set_up(engine)
            self.ready = True
            for other in self.hosts:
                self.begin_life(other)
            self._begin_everything()
        else:
            await self._look_again(engine)

    async def _set_up(self, engine: Engine) -> None:
        for name in EVENT_TYPES:
            await engine.event_types.create(name=name, description=name)
        for number in range(self.draw.applications):
            await engine.applications.create(name=f"app{number}", uid=f"app{number}")
            for _ in range(self.draw.endpoints):
                await self._add_endpoint(engine, f"app{number}")

    async def _look_again(self, engine: Engine) -> None:
        """A host that starts again does not know what came of its last calls: it looks."""
        for application in range(self.draw.applications):
            found = {one.uid: one async for one in engine.endpoints.iterate(f"app{application}")}
            for endpoint in list(self.model.endpoints.values()):
                if endpoint.application != f"app{application}" or not endpoint.created.began:
                    continue
                stored = found.get(endpoint.key)
                now = self.timeline.now
                if stored is None:
                    continue
                endpoint.id = stored.id
                endpoint.created.sure = min(endpoint.created.sure, now)
                if stored.disabled and endpoint.closed and endpoint.closed[-1].value is False:
                    # The engine was killed before it could tell.
                    endpoint.closed.append(Span(True, 0.0, now, found_at=now))
                # A rotation may have been committed when the engine was killed.
                secret = await engine.endpoints.get_secret(endpoint.application, endpoint.key)
                if not endpoint.secrets or endpoint.secrets[-1].value != secret:
                    endpoint.secrets.append(Span(secret, 0.0, now, found_at=now))

    def kill(self, host: Host | None, *, power: bool) -> None:
        """The process is killed, or the machine loses its power."""
        if host is None or host.loop is None or host.loop.dead:
            return
        loop, life = host.loop, host.life
        loop.die()
        # A server does not lose its power with one of those that are on it.
        self.disk.cut(loop, power=power and self.server is None)
        self.network.cut(loop)
        if self.server is None:
            self.clock.forget_wakers()
        host.engine = None
        life.ended, life.killed = self.timeline.now, True
        self.model.paused_s = [(began, min(ended, self.timeline.now)) for began, ended in self.model.paused_s]
        self._crash_at_commit = None
        self.say(f"{life.name} is killed{' by loss of power' if power else ''}")
        self.model.troubles.begin("crash", life.up - 5 if life.up < self.timeline.now else life.began, host.name)
        down = self.chance.choice((0.01, 0.5, 5.0)) * (60 if self.draw.days else 1)
        self.timeline.after(down, self._again, host)

    def stop(self, host: Host | None) -> None:
        """The host stops the engine, and starts it again later."""
        if host is None or host.engine is None or host.loop is None or host.loop.dead:
            return
        engine, host.engine = host.engine, None
        self.say(f"{host.life.name} is to stop")
        self.model.troubles.begin("crash", self.timeline.now, host.name)
        host.loop.create_task(self._stop(host, engine, host.loop, host.life), name="host-stop")

    async def _stop(self, host: Host, engine: Engine, loop: ProcessLoop, life: Life) -> None:
        try:
            await engine.stop()
        except WebhookEngineError as error:
            self.say(f"{life.name} stopped badly: {error}")
        life.ended = self.timeline.now
        self.say(f"{life.name} has stopped")
        self.network.cut(loop)
        self.disk.cut(loop, power=False)
        if self.server is None:
            self.clock.forget_wakers()
        loop.die()
        self.timeline.after(self.chance.choice((0.0, 0.2, 3.0)), self._again, host)

    def _again(self, host: Host) -> None:
        self.model.troubles.end("crash", self.timeline.now + 5 + self.model.lag_s, host.name)
        self.begin_life(host)

    def _failed(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.say(f"unhandled: {context.get('message')}: {error!r}")
        self.violated(f"an error that nobody handled: {context.get('message')}: {error!r}")

    def _disabled(self, event: EndpointDisabledEvent) -> None:
        endpoint = next((one for one in self.model.endpoints.values() if one.id == event.endpoint_id), None)
        if endpoint is None:
            return
        self.say(f"{endpoint.key} was disabled: {event.reason}")
        last = endpoint.closed[-1]
        # Who is paused may have called for it long before.
        enabled_since = any(not span.value and last.sure < span.sure < math.inf for span in endpoint.closed)
        if last.value is True and last.sure < self.timeline.now and not enabled_since:
            self.violated(f"{endpoint.key} was disabled by the engine, and was disabled already")
        endpoint.disabled_by_engine.append((self.timeline.now, event.reason))
        now = self.timeline.now
        endpoint.closed.append(Span(True, now - self.model.timeout_s - 60, now, found_at=now))

    def endpoint_waits(self, endpoint_id: str, until: datetime) -> None:
        """The engine says that a circuit breaker has an endpoint wait."""
        self.model.pauses.told(endpoint_id, self.timeline.now, self._wall_at(until))

    # What goes wrong.

    def _begin_everything(self) -> None:
        for fault, every in sorted(self.draw.faults.items()):
            self._again_after(every, getattr(self, "_fault_" + fault.replace("-", "_")))
        for action, every in sorted(self.draw.actions.items()):
            self._again_after(every, getattr(self, "_do_" + action))
        began = self.timeline.now
        for look in range(1, LOOKS + 1):
            self.timeline.at(began + self.draw.span_s * look / LOOKS, self._look_at_schedule)
        self.timeline.at(began + self.draw.span_s, self._heal)

    def _again_after(self, every: float, do: Callable[[], None]) -> None:
        def happens() -> None:
            if not self.healing:
                do()
                self._again_after(every, do)

        self.timeline.after(self.chance.expovariate(1 / every), happens)

    def _scale(self) -> float:
        return 600.0 if self.draw.days else 1.0

    def _mode(self, mode: str, seconds: float, receiver: _Receiver | None = None) -> None:
        receiver = receiver or self._receivers[self.chance.choice(sorted(self._receivers))]
        receiver.mode, receiver.until = mode, self.timeline.now + seconds * self._scale()
        self.say(f"{receiver.name} is {mode} for {seconds * self._scale():.1f} s")
        # Who takes its time has others wait, too.
        kind = "slow-receiver" if mode in ("slow", "hanging", "dripping", "odd", "gone") else "receiver"
        self.model.troubles.begin(kind, self.timeline.now, receiver.name)

        def ends() -> None:
            if receiver.until <= self.timeline.now and receiver.mode != "ok":
                receiver.mode = "ok"
                self._well(receiver)
                self.say(f"{receiver.name} is well again")

        self.timeline.at(receiver.until, ends)

    def _well(self, receiver: _Receiver) -> None:
        for kind in ("receiver", "slow-receiver"):
            self.model.troubles.end(kind, self.timeline.now, receiver.name)

    def _fault_failing(self) -> None:
        longest = 60.0 if not self.draw.days else 1_200.0
        self._mode("failing", self.chance.choice((1.0, 10.0, longest)))

    def _fault_slow(self) -> None:
        self._mode("slow", self.chance.choice((1.0, 10.0)))

    def _fault_hanging(self) -> None:
        self._mode("hanging", self.chance.choice((1.0, 10.0)))

    def _fault_dripping(self) -> None:
        self._mode("dripping", self.chance.choice((1.0, 10.0)))

    def _fault_resetting(self) -> None:
        self._mode("resetting", self.chance.choice((1.0, 10.0)))

    def _fault_busy_receiver(self) -> None:
        self._mode("busy", self.chance.choice((1.0, 5.0)))

    def _fault_gone(self) -> None:
        self._mode("gone", self.chance.choice((0.5, 3.0, 8.0)))

    def _fault_odd(self) -> None:
        self._mode("odd", self.chance.choice((1.0, 10.0)))

    def _host(self) -> Any:
        return self.network.names[self.chance.choice(sorted(self.network.names))]

    def _fault_refusing(self) -> None:
        self._reach("refused", self.chance.choice((1.0, 8.0)))

    def _fault_silent(self) -> None:
        self._reach("silent", self.chance.choice((1.0, 8.0)))

    def _reach(self, how: str, seconds: float) -> None:
        host = self._host()
        host.reach = how
        self._for("reach", seconds, f"{host.name} is {how}", lambda: setattr(host, "reach", "open"), host.name)

    def _fault_names(self) -> None:
        host = self._host()
        kind = self.chance.choice(("fails", "is unknown", "hangs", "moves"))
        if kind == "moves":
            address = f"11.0.{self.chance.randint(1, 200)}.{self.chance.randint(1, 250)}"
            self.network.hosts[address] = host
            host.addresses = [address]
            self.say(f"the name {host.name} moves to {address}")
            return
        host.look_up_error = {"fails": socket.EAI_AGAIN, "is unknown": socket.EAI_NONAME, "hangs": None}[kind]
        host.look_up_s = 20.0 if kind == "hangs" else 0.002

        def well() -> None:
            host.look_up_error, host.look_up_s = None, 0.002

        self._for("name", self.chance.choice((1.0, 8.0)), f"the name {host.name} {kind}", well, host.name)

    def _for(self, kind: str, seconds: float, what: str, undo: Callable[[], object], of: str = "") -> None:
        """A trouble, and its end."""
        seconds *= self._scale()
        self.say(f"{what} for {seconds:.1f} s")
        self.model.troubles.begin(kind, self.timeline.now, of)

        def over() -> None:
            undo()
            self.say(f"no more: {what}")
            # Who has lost its lease has lost its endpoints, too, and gets some again a moment later.
            lost = self.model.lag_s if kind in ("pause", "cut-off", "late", "disk") else 0.0
            self.model.troubles.end(kind, self.timeline.now + lost, of)

        self.timeline.after(seconds, over)

    def _fault_crash(self) -> None:
        self.kill(self._some_host(), power=False)

    def _fault_power(self) -> None:
        self.kill(self._some_host(), power=True)

    def _fault_restart(self) -> None:
        self.stop(self._some_host())

    def _fault_crash_at_commit(self) -> None:
        self._crash_at_commit = (self.chance.randint(1, 6), self.chance.choice(("before", "after")))

    def _on_commit(self, when: str, loop: ProcessLoop) -> None:
        if self._crash_at_commit is None or not self.ready:
            return
        count, at = self._crash_at_commit
        if when != at:
            return
        self._crash_at_commit = (count - 1, at)
        if count <= 1:
            self.say(f"killed {at} a commit")
            self.kill(next(host for host in self.hosts if host.loop is loop), power=self.chance.random() < 0.5)

    def _disk_fault(self, fault: str) -> None:
        if self.disk.fault is None:
            self.disk.fault = fault
            seconds = self.chance.choice((0.05, 1.0, 6.0))
            self._for("disk", seconds, f"the disk is {fault}", lambda: setattr(self.disk, "fault", None))

    def _fault_disk_full(self) -> None:
        self._disk_fault("full")

    def _fault_disk_busy(self) -> None:
        self._disk_fault("busy")

    def _fault_disk_failing(self) -> None:
        self._disk_fault("failing")

    def _fault_disk_slow(self) -> None:
        self.disk.slow_s = self.chance.choice((0.05, 0.3, 1.5))
        seconds = self.chance.choice((1.0, 6.0))
        self.disk.slow_until = self.timeline.now + seconds
        self._for("disk", seconds, f"the disk is slow by {self.disk.slow_s} s", lambda: None)

    def _fault_pause(self) -> None:
        host = self._some_host()
        if host is None or host.loop is None or host.loop.frozen_until > self.timeline.now:
            return
        seconds = self.chance.choice((0.3, 2.0, 20.0))
        host.loop.frozen_until = self.timeline.now + seconds
        self.model.paused_s.append((self.timeline.now, self.timeline.now + seconds))
        self._for("pause", seconds, f"{host.life.name} is paused", lambda: None, host.name)

    def _line(self) -> Any:
        host = self._some_host()
        return None if host is None or host.loop is None else host.loop.line

    def _fault_cut_off(self) -> None:
        line = self._line()
        if line is not None and not line.is_cut:
            line.is_cut = True
            seconds = self.chance.choice((0.5, 4.0, 6.0, 12.0))
            self._for(
                "cut-off",
                seconds,
                f"{line.loop.name} is cut off",
                lambda: setattr(line, "is_cut", False),
                line.loop.name,
            )

    def _fault_late(self) -> None:
        line = self._line()
        if line is not None and not line.late_s:
            line.late_s = self.chance.choice((0.1, 1.0, 3.0, 6.0))
            seconds = self.chance.choice((1.0, 8.0))
            self._for(
                "late",
                seconds,
                f"{line.loop.name} is answered late",
                lambda: setattr(line, "late_s", 0.0),
                line.loop.name,
            )

    def _fault_clock_jump(self) -> None:
        seconds = self.chance.choice((-1, 1)) * self.chance.choice((0.5, 30.0, 3_000.0, 90_000.0))
        self.model.clock_was_set = True
        self.say(f"the clock is set by {seconds} s")
        self.clock.jump(seconds)

    def _fault_clock_drift(self) -> None:
        share = self.chance.choice((-0.2, -0.01, 0.01, 0.2, 0.0))
        self.model.clock_was_set = True
        self.say(f"the clock drifts by {share}")
        self.clock.drift(share)

    def _fault_clock_stands(self) -> None:
        self.model.clock_was_set = True
        self.clock.stand()
        self._for("clock", self.chance.choice((1.0, 10.0)), "the clock stands still", self.clock.go_on)

    def _fault_descriptors(self) -> None:
        self.network.lacks = 24
        seconds = self.chance.choice((0.5, 4.0))
        self._for("lack", seconds, "no descriptor is left", lambda: setattr(self.network, "lacks", None))

    def _fault_idle_drop(self) -> None:
        self.network.drop_idle(self.chance.randint(1, 4))

    # What receivers do.

    def _received(self, request: Received) -> Plan:
        self.requests += 1
        now = self.timeline.now
        digest = hashlib.sha256(repr(sorted(request.headers.items())).encode() + request.body).hexdigest()[:16]
        deliveries = self.model.received(request, now, request.process)
        receiver = self._receivers[request.host]
        status, plan, verdict = self._answer(receiver.mode, request)
        told = ", ".join(str(delivery.message.number) for delivery in deliveries)
        self.say(f"{request.path} gets message {told} {digest}: {receiver.mode}, {status}")
        for delivery in deliveries:
            delivery.requests.append((request, verdict))
            if verdict != "failure":
                self.model.pauses.taken(delivery.endpoint.id, now)
            self._verdicts.setdefault(id(request), []).append((delivery, len(delivery.requests) - 1))
        # What takes about as long as the engine waits may be heard or not.
        if verdict == "success" and request.closed_at is not None:
            self._unsure(request)
        return plan

    def _left(self, request: Received) -> None:
        """The engine closed a connection on which a response was awaited, or whose response was on its way."""
        if request.sent_at is None or self.timeline.now < request.sent_at + 0.1:
            self._unsure(request)

    def _unsure(self, request: Received) -> None:
        for delivery, index in self._verdicts.get(id(request), ()):
            one, verdict = delivery.requests[index]
            if verdict == "success":
                delivery.requests[index] = (one, "unsure")

    def _answer(self, mode: str, request: Received) -> tuple[int, Plan, str]:
        chance = self.chance
        quick = chance.uniform(0.001, 0.05)
        if mode == "failing":
            status = chance.choice((500, 404, 301, 400))
        elif mode == "busy":
            status = chance.choice((429, 503, 502))
        elif mode == "gone":
            status = chance.choice((410, 410, 500))
            # To all who ask at once, so that what comes after a disabling may be recorded with it.
            quick = 1.0 - self.timeline.now % 1.0
        else:
            status = 200
        verdict = "success" if status == 200 else "failure"
        head = f"HTTP/1.1 {status} X\r\n"
        if mode == "busy" and chance.random() < 0.7:
            request.retry_after = float(chance.choice((0, 1, 3, 100_000)))
            head += f"Retry-After: {request.retry_after:.0f}\r\n"
        body = b"thanks"
        whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        if mode == "slow":
            return status, [(chance.uniform(0.2, 1.8), whole)], verdict
        if mode == "hanging":
            return status, [(self.model.timeout_s * chance.choice((0.97, 1.0, 5.0)), whole)], "unsure"
        if mode == "dripping":
            pieces = [whole[index : index + 4] for index in range(0, len(whole), 4)]
            return status, [(chance.uniform(0.01, 0.5), piece) for piece in pieces], "unsure"
        if mode == "resetting":
            cut = chance.choice((b"", whole[:9], whole[:-3]))
            pieces = [(quick, cut)] if cut else []
            return status, [*pieces, (quick, chance.choice((RESET, EOF)))], "unsure"
        if mode == "odd":
            odd = chance.choice((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"nonsense\r\n\r\n", whole + b"more"))
            return status, [(quick, odd)], "unsure"
        if chance.random() < 0.1:
            return status, [(quick, whole.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)), (0.001, EOF)], verdict
        return status, [(quick, whole)], verdict

    # What callers do.

    def _call(self, what: str, work: Callable[[Engine], Coroutine[Any, Any, None]]) -> None:
        engine = self.engine
        if engine is None:
            return
        loop = self._host_of(engine).loop
        assert loop is not None

        async def call() -> None:
            try:
                await work(engine)
            except WebhookEngineError as error:
                self.say(f"{what}: {type(error).__name__}: {error}")

        loop.create_task(call(), name=f"caller-{what}")

    def _application(self) -> str:
        return f"app{self.chance.randrange(self.draw.applications)}"

    def _new_message(self, application: str | None = None) -> Message:
        number = len(self.model.messages) + 1
        size = self.chance.choice((0, 0, 0, 200, 5_000))
        message = Message(
            number,
            application or self._application(),
            self.chance.choice(EVENT_TYPES),
            b"",
            self.timeline.now,
            self.chance.choice(WORDS) if self.draw.kinds else WORDS[0],
            self.chance.choice((None, "x", "y")) if "order" in self.draw.kinds else None,
        )
        message.payload = f'{{"n":{number},"k":"{message.word}","x":"{"x" * size}"}}'.encode()
        self.model.messages.append(message)
        self.model.by_number[number] = message
        return message

    async def _send(self, engine: Engine, message: Message, **how: Any) -> None:
        made = await engine.messages.create(
            message.application,
            event_type=message.event_type,
            payload=message.payload,
            event_id=f"n-{message.number}",
            ordering_key=message.ordering_key,
            **how,
        )
        message.id, message.accepted_at = made.id, self.timeline.now
        self.say(f"message {message.number} is accepted as {made.id}")

    def _do_create(self) -> None:
        if self.engine is not None:
            message = self._new_message()
            self._call("create", lambda engine: self._send(engine, message))

    def _do_burst(self) -> None:
        if self.engine is None:
            return
        application = self._application()
        self._create_many(application, self.chance.choice((10, 40)))

    def _create_many(self, application: str, count: int) -> None:
        for _ in range(count):
            message = self._new_message(application)
            self._call("create", lambda engine, message=message: self._send(engine, message))  # type: ignore[misc]

    def _do_outage(self) -> None:
        """A receiver fails for a while, and much is sent to it meanwhile."""
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        receiver = self._receivers[endpoint.host]
        self._mode("failing", 20.0, receiver)
        self._create_many(endpoint.application, 40)

    def _do_hurry(self) -> None:
        """A receiver takes its time, and somebody asks by hand for some of what waits for it."""
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        receiver = self._receivers[endpoint.host]
        if receiver.mode == "ok":
            self._mode("slow", 5.0, receiver)
        self._create_many(endpoint.application, 10)
        self.timeline.after(self._hurry.choice((0.5, 2.0)), self._resend_waiting, endpoint)

    def _resend_waiting(self, endpoint: Endpoint) -> None:
        waiting = [
            message
            for message in self.model.messages[-30:]
            if message.application == endpoint.application and message.id is not None and message.kept
            if (delivery := self.model.deliveries.get((message.number, endpoint.key))) is None
            or all(verdict == "failure" for _, verdict in delivery.requests)
        ]
        for message in self._hurry.sample(waiting, min(3, len(waiting))):
            self._resend(message, endpoint)

    def _do_later(self) -> None:
        if self.engine is None or self.model.clock_was_set:
            return
        message = self._new_message()
        message.later = self.timeline.now + self.chance.uniform(1, 20) * self._scale()
        at = BEGAN_AT + timedelta(seconds=message.later)
        self._call("create later", lambda engine: self._send(engine, message, deliver_at=at))

    def _do_outbox(self) -> None:
        if not self.ready:
            return
        message = self._new_message()
        message.by_outbox, message.ordering_key = True, None
        with closing(sqlite3.connect(self.disk.path, timeout=0)) as other, other:
            other.execute(
                "INSERT INTO webhook_outbox (application, event_type, payload, event_id) VALUES (?, ?, ?, ?)",
                (message.application, message.event_type, message.payload, f"n-{message.number}"),
            )
        message.accepted_at = self.timeline.now
        self.say(f"message {message.number} is in the outbox")

    def _some_endpoint(self) -> Endpoint | None:
        keys = [one.key for one in self.model.endpoints.values() if one.id and one.deleted is None]
        return self.model.endpoints[self.chance.choice(keys)] if keys else None

    def _some_message(self) -> Message | None:
        recent = [one for one in self.model.messages[-60:] if one.id is not None]
        return self.chance.choice(recent) if recent else None

    def _do_resend(self) -> None:
        message, count = self._some_message(), self.chance.choice((1, 1, 8))
        for _ in range(count):
            if message is not None:
                self._resend(message)
            message = self._some_message()

    def _resend(self, message: Message, endpoint: Endpoint | None = None) -> None:
        keys = [
            one.key
            for one in self.model.endpoints.values()
            if one.application == message.application and one.id and one.deleted is None
        ]
        if not keys or self.engine is None:
            return
        endpoint = endpoint or self.model.endpoints[self.chance.choice(keys)]
        delivery = self.model.delivery(message, endpoint)
        asked = self.timeline.now
        delivery.manual.append((asked, math.inf))
        place = len(delivery.manual) - 1
        self.say(f"resend of message {message.number} to {endpoint.key}")

        async def resend(engine: Engine) -> None:
            await engine.attempts.resend(message.application, str(message.id), endpoint.id)
            delivery.resent += 1
            delivery.manual[place] = (asked, math.inf)

        self._call("resend", resend)

    def _change(self, spans: list[Span], value: Any) -> Span:
        span = Span(value, self.timeline.now)
        spans.append(span)
        return span

    def _do_disable(self) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        span = self._change(endpoint.closed, True)

        async def disable(engine: Engine) -> None:
            await engine.endpoints.disable(endpoint.application, endpoint.key)
            span.sure = self.timeline.now
            self.say(f"{endpoint.key} is disabled")

        self._call("disable", disable)

    def _do_enable(self) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        span = self._change(endpoint.closed, False)

        async def enable(engine: Engine) -> None:
            await engine.endpoints.enable(endpoint.application, endpoint.key)
            span.sure = self.timeline.now
            self.say(f"{endpoint.key} is enabled")

        self._call("enable", enable)

    def _do_filter(self) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        types = self.chance.choice((None, EVENT_TYPES[:1], EVENT_TYPES[:2]))
        name = self.chance.choice(sorted(FILTERS)) if "filters" in self.draw.kinds else "none"
        span = self._change(endpoint.filters, (types, wanted_words(name)))

        async def edit(engine: Engine) -> None:
            await engine.endpoints.update(
                endpoint.application, endpoint.key, event_types=types, filter=FILTERS[name][0]
            )
            span.sure = self.timeline.now
            self.say(f"{endpoint.key} takes {types}, filter {name}")

        self._call("filter", edit)

    def _do_move(self) -> None:
        endpoint = self._some_endpoint()
        # Of two edits at once, either may be the last.
        if endpoint is None or self.engine is None or endpoint.paths[-1].sure == math.inf:
            return
        path = f"/{len(endpoint.paths)}/{endpoint.key}"
        span = self._change(endpoint.paths, path)

        async def edit(engine: Engine) -> None:
            await engine.endpoints.update(endpoint.application, endpoint.key, url=f"http://{endpoint.host}{path}")
            span.sure = self.timeline.now
            self.say(f"{endpoint.key} is at {path}")

        self._call("move", edit)

    def _do_throttle(self) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        rate = self.chance.choice((None, 2, 10))
        endpoint.throttle = endpoint.throttle or rate or 10
        endpoint.rate_was_edited = True

        async def edit(engine: Engine) -> None:
            await engine.endpoints.update(endpoint.application, endpoint.key, throttle_rate=rate)
            self.say(f"{endpoint.key} takes {rate} a second")

        self._call("throttle", edit)

    def _do_skip(self) -> None:
        """Somebody lets an order go on without the message that it waits for."""
        endpoint = self._some_endpoint()
        if endpoint is None or not endpoint.options.in_order:
            return

        async def skip(engine: Engine) -> None:
            orders = await engine.endpoints.orders(endpoint.application, endpoint.key)
            for order in orders[:1]:
                message = next((one for one in self.model.messages if one.id == order.message_id), None)
                if message is None:
                    continue
                delivery = self.model.delivery(message, endpoint)
                delivery.skipped_at = self.timeline.now
                await engine.endpoints.skip(endpoint.application, endpoint.key, order.message_id)
                delivery.skipped_sure = self.timeline.now
                self.say(f"message {message.number} to {endpoint.key} is skipped, which was {order.state}")

        self._call("skip", skip)

    def _do_go_on(self) -> None:
        """An endpoint does not want its orders to stop any more."""
        endpoint = self._some_endpoint()
        if endpoint is None or not endpoint.options.stops or endpoint.goes_on is not None or self.engine is None:
            return
        span = endpoint.goes_on = Span(True, self.timeline.now)

        async def edit(engine: Engine) -> None:
            await engine.endpoints.update(endpoint.application, endpoint.key, ordering_on_exhausted="skip")
            span.sure = self.timeline.now
            self.say(f"{endpoint.key} stops at no failure any more")

        self._call("go on", edit)

    def _do_rotate(self) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return

        async def rotate(engine: Engine) -> None:
            began = self.timeline.now
            await engine.endpoints.rotate_secret(endpoint.application, endpoint.key)
            secret = await engine.endpoints.get_secret(endpoint.application, endpoint.key)
            # The old one is valid for a day more.
            endpoint.secrets.append(Span(secret, began - 60, math.inf))
            self.say(f"{endpoint.key} has a new secret")

        self._call("rotate", rotate)

    def _do_delete(self) -> None:
        endpoint = self._some_endpoint()
        alive = [one for one in self.model.endpoints.values() if one.id and one.deleted is None]
        if endpoint is None or self.engine is None or len(alive) < 3:
            return
        endpoint.deleted = Span(True, self.timeline.now)

        async def delete(engine: Engine) -> None:
            await engine.endpoints.delete(endpoint.application, endpoint.key)
            if endpoint.deleted is not None:
                endpoint.deleted.sure = self.timeline.now
            self.say(f"{endpoint.key} is deleted")

        self._call("delete", delete)

    def _do_add(self) -> None:
        if self.engine is not None and len(self.model.endpoints) < 20:
            application = self._application()
            self._call("add", lambda engine: self._add_endpoint(engine, application))

    async def _add_endpoint(self, engine: Engine, application: str) -> None:
        self._keys += 1
        key, host = f"ep{self._keys}", f"host{self._keys}.example"
        if host not in self.network.names:
            self.network.add(host, f"11.0.0.{self._keys}")
            self._receivers[host] = _Receiver(host)
        throttle = self.chance.choice((2, 5, 20)) if self.chance.random() < self.draw.throttled else None
        types = self.chance.choice((None, None, EVENT_TYPES[:1], EVENT_TYPES[:2]))
        now = self.timeline.now
        options = drawn(self.chance, self.draw.kinds, self.draw.ladder_s, self.draw.timeout_s)
        endpoint = Endpoint(key, application, host, throttle, options)
        endpoint.created.began = now
        endpoint.filters.append(Span((types, wanted_words(options.filter)), now))
        endpoint.closed.append(Span(False, now))
        endpoint.paths.append(Span(f"/{key}", now))
        self.model.endpoints[key] = endpoint
        scheme = self.chance.choice(("http", "https"))
        made = await engine.endpoints.create(
            application,
            url=f"{scheme}://{host}/{key}",
            uid=key,
            event_types=types,
            throttle_rate=throttle,
            **options.asked,
        )
        endpoint.id = made.id
        secret = await engine.endpoints.get_secret(application, key)
        endpoint.secrets.append(Span(secret, now))
        endpoint.created.sure = endpoint.filters[0].sure = endpoint.closed[0].sure = self.timeline.now
        endpoint.paths[0].sure = endpoint.created.sure
        self.say(f"{key} of {application} takes {types}, {throttle} a second, and asks for {options.asked}")

    def _since(self) -> datetime:
        return to_datetime(self.clock.now()) - timedelta(seconds=self.chance.choice((5, 60)) * self._scale())

    def _do_recover(self) -> None:
        self._make_again("recover")

    def _do_replay(self) -> None:
        self._make_again("replay_missing")

    def _make_again(self, how: str) -> None:
        endpoint = self._some_endpoint()
        if endpoint is None or self.engine is None:
            return
        endpoint.again.append((self.timeline.now, math.inf, how))
        since = self._since()

        async def again(engine: Engine) -> None:
            await getattr(engine.endpoints, how)(endpoint.application, endpoint.key, since)
            self.say(f"{how} for {endpoint.key}")

        self._call(how, again)

    def _do_expunge(self) -> None:
        message = self._some_message()
        if message is None or self.engine is None:
            return

        async def expunge(engine: Engine) -> None:
            await engine.messages.expunge_content(message.application, str(message.id))
            message.expunged_at = self.timeline.now
            self.say(f"message {message.number} is expunged")

        message.cancelled_at = min(message.cancelled_at, self.timeline.now)
        self._call("expunge", expunge)

    def _do_cancel(self) -> None:
        message = self._some_message()
        if message is not None:
            self._cancel(message)

    def _do_cancel_many(self) -> None:
        """The newest ones, of which most still wait."""
        for message in [one for one in self.model.messages[-12:] if one.id is not None]:
            self._cancel(message)

    def _cancel(self, message: Message) -> None:
        if self.engine is None:
            return

        async def cancel(engine: Engine) -> None:
            await engine.messages.cancel(message.application, str(message.id))
            message.cancelled_sure = min(message.cancelled_sure, self.timeline.now)
            self.say(f"message {message.number} is cancelled")

        message.cancelled_at = min(message.cancelled_at, self.timeline.now)
        self._call("cancel", cancel)

    def _do_read(self) -> None:
        message = self._some_message()
        if message is None:
            return

        async def read(engine: Engine) -> None:
            before = [one async for one in _all_destinations(engine, message)]
            page = await engine.attempts.list_by_message(message.application, str(message.id), limit=250)
            after = [one async for one in _all_destinations(engine, message)]
            self.say(f"message {message.number} has {len(page.data)} attempts")
            if self.model.clock_was_set or not page.done:
                return
            ids = {one.id: one for one in self.model.endpoints.values() if one.id}
            for one in before:
                endpoint = ids.get(one.endpoint.id)
                same = any(other.endpoint.id == one.endpoint.id and other == one for other in after)
                if endpoint is None or endpoint.again or not same or one.next_attempt is None:
                    continue
                delivery = self.model.deliveries.get((message.number, endpoint.key))
                if delivery is not None and not delivery.manual:
                    made = sorted((it for it in page.data if it.endpoint_id == endpoint.id), key=lambda it: it.id)
                    what = f"message {message.number} to {endpoint.key}"
                    self.model.check_next(what, endpoint, made, self._wall_at(one.next_attempt), self._wall_at)

        self._call("read", read)

    # The end.

    def _heal(self) -> None:
        """Nothing goes wrong any more; what is left must come to its end."""
        self.healing = True
        self.say("everything is well from here on")
        self._crash_at_commit = None
        for receiver in self._receivers.values():
            if receiver.mode != "ok":
                receiver.mode = "ok"
                self._well(receiver)
        self.disk.fault, self.network.lacks = None, None
        for host in self.network.names.values():
            host.reach, host.look_up_error, host.look_up_s = "open", None, 0.002
        # Each step of the ladder may take twice its delay, where a receiver asked for it.
        ladder_s = max((one.options.ladder_s for one in self.model.endpoints.values()), key=sum)
        rest = 2 * sum(ladder_s) * (1 + self.draw.jitter) + 20 * self.model.timeout_s + 150.0
        if "breaker" in self.draw.kinds:
            # Pauses double: the last one may be as long as all that went before.
            # After a clock was set back, a start knows of one only that it is none of more than half an hour.
            long = self.draw.days or self.model.clock_was_set
            rest += 2_000.0 if long else 2 * self.draw.span_s + 60.0
        # What is settled stays settled: a while is enough to see whether it does.
        self._quiet_s = 2 * self.model.timeout_s + 1.5 * max(ladder_s, default=0.0) + 10.0
        self._look_whether_settled(self.timeline.now + rest - self._quiet_s)

    def _look_whether_settled(self, at_last: float) -> None:
        if self.timeline.now >= at_last or self._settled():
            self.timeline.after(self._quiet_s, self._finish)
        else:
            self.timeline.after(5.0 if not self.draw.days else 300.0, self._look_whether_settled, at_last)

    def _look_at_schedule(self) -> None:
        """What is stored of retries is what the ladder says."""
        if self.server is not None or self.model.clock_was_set:
            return
        by_id = {one.id: one for one in self.model.endpoints.values() if one.id}
        with closing(sqlite3.connect(self.disk.path)) as reader:
            for event_id, endpoint_id, due_at, step, attempt_id, duration_ms, status_code in reader.execute(_WAITING):
                key = (int(event_id.removeprefix("n-")), by_id[endpoint_id].key if endpoint_id in by_id else "")
                delivery = self.model.deliveries.get(key)
                if delivery is not None and not delivery.manual and delivery.endpoint.options.keeps_times:
                    ended = self._wall_at(to_datetime(timestamp_of(attempt_id))) + duration_ms / 1000
                    what = f"message {key[0]} to {key[1]}"
                    self.model.check_due(
                        what, delivery.endpoint, step, ended, status_code, self._wall_at(to_datetime(due_at))
                    )

    def _settled(self) -> bool:
        """Whether nothing is left to do, by what is stored."""
        if self.engine is None:
            return False
        with closing(sqlite3.connect(self.disk.path)) as reader:
            return not any(reader.execute(query).fetchone()[0] for query in _LEFT)

    def _finish(self) -> None:
        engine = self.engine
        if engine is None:
            self.violated("the engine did not come up again, although nothing is wrong any more")
            self._end()
            return
        loop = self._host_of(engine).loop
        assert loop is not None
        loop.create_task(self._check_all(engine), name="host-end")

    async def _check_all(self, engine: Engine) -> None:
        try:
            await engine.join(timeout=60)
            # What is looked at must not become too old meanwhile.
            for host in self.hosts:
                if host.engine is not None:
                    long = timedelta(seconds=LONG_S)
                    host.engine._flow.retention.policy = RetentionPolicy(long, long)
            await self._check(engine)
            await engine.stop()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what was found)
            self.violated(f"the end could not be checked: {error!r}")
        self._end()

    def _end(self) -> None:
        self._ended = True
        for host in self.hosts:
            if host.loop is not None:
                host.loop.die()
        self.timeline.stopped = True

    def _wall_at(self, instant: datetime) -> float:
        """The time of the world that an instant of the clock was, where nobody set that."""
        return (instant - BEGAN_AT).total_seconds()

    async def _check(self, engine: Engine) -> None:
        model = self.model
        stored: dict[str, Any] = {}
        for number in range(self.draw.applications):
            async for message in engine.messages.iterate(f"app{number}"):
                stored[message.event_id or ""] = message
        by_id = {one.id: one for one in model.endpoints.values() if one.id}
        counts = {one.key: {"success": 0, "fail": 0, "pending": 0} for one in by_id.values()}
        lists: dict[str, _Lists] = {one.key: _Lists() for one in by_id.values()}
        outcomes: dict[str, list[tuple[float, bool]]] = {one.key: [] for one in by_id.values()}
        asked: dict[str, list[tuple[float, bool]]] = {one.key: [] for one in by_id.values()}
        met: dict[str, list[Met]] = {one.key: [] for one in by_id.values()}
        firsts: dict[str, list[tuple[str, float, Message]]] = {one.key: [] for one in by_id.values()}
        found_of: dict[str, list[tuple[Made, list[Any]]]] = {one.key: [] for one in by_id.values()}
        for message in model.messages:
            found = stored.get(f"n-{message.number}")
            if found is None:
                if message.accepted_at is not None and not model.may_be_gone(message, self.timeline.now):
                    model.violated(f"message {message.number}, accepted at {message.accepted_at:.3f}, is lost")
                continue
            if message.id is None:
                message.id = found.id
            deliveries = [one async for one in _all_destinations(engine, message)]
            attempts: dict[str, list[Any]] = {}
            async for attempt in engine.attempts.iterate_by_message(message.application, found.id):
                attempts.setdefault(attempt.endpoint_id, []).append(attempt)
            is_old = model.may_be_gone(message, self.timeline.now)
            if is_old:
                self._check_kept(message, deliveries, [one for made in attempts.values() for one in made])
            else:
                model.check_recipients(message, [one.endpoint.id for one in deliveries])
            for one in deliveries:
                endpoint = by_id.get(one.endpoint.id)
                if endpoint is None:
                    continue
                made = sorted(attempts.get(one.endpoint.id, ()), key=lambda attempt: attempt.id)
                if not is_old:
                    found_of[endpoint.key].append((self._made(message, one, made), made))
                lists[endpoint.key].deliveries[found.id] = one.status.name
                lists[endpoint.key].attempts.update(attempt.id for attempt in made)
                counts[endpoint.key]["pending"] += one.status.name in ("PENDING", "SENDING")
                for attempt in made:
                    counts[endpoint.key]["success" if attempt.status == 0 else "fail"] += 1
                    began = self._wall_at(attempt.timestamp)
                    ended = began + attempt.response_duration_ms / 1000
                    met[endpoint.key].append(Met(ended, began, attempt.status == 0, attempt.trigger_type != 0))
                    if attempt.trigger_type == 0 or attempt.status == 0:
                        outcomes[endpoint.key].append((ended, attempt.status == 0))
                    else:
                        asked[endpoint.key].append((ended, False))
                if made and made[0].trigger_type == 0:
                    firsts[endpoint.key].append((made[0].id, self._wall_at(made[0].timestamp), message))
        for endpoint in by_id.values():
            everything = [one for one, _ in found_of[endpoint.key]]
            turns, stopped = model.lines.turns(endpoint, everything), model.lines.stopped(endpoint, everything)
            turn_at = 0.0
            if not model.keeps_all and endpoint.options.in_order:
                # What came before may be gone.
                turns, turn_at, stopped = {}, math.inf, {one.message.ordering_key for one in everything}
            for one, made in found_of[endpoint.key]:
                self._check_delivery(endpoint, one, made, turns.get(one.message.number, turn_at), stopped)
            if endpoint.deleted is not None:
                continue
            if not model.clock_was_set and model.keeps_all:
                model.lines.check(endpoint, everything)
                model.check_order(endpoint, [(at, message) for _, at, message in sorted(firsts[endpoint.key])])
                if self.server is None:
                    # How long several engines have run is not one number.
                    model.check_window(endpoint, outcomes[endpoint.key], asked[endpoint.key])
                    check_breaker(model, endpoint, met[endpoint.key])
            await self._check_endpoint(engine, endpoint, counts[endpoint.key])
            if not model.clock_was_set:
                # Lists end a little after now: what was made before a clock was set back is not on them yet.
                await self._check_lists(engine, endpoint, lists[endpoint.key])
        self.say(f"checked: {counts}")

    def _check_kept(self, message: Message, deliveries: Sequence[Any], attempts: Sequence[Any]) -> None:
        """What is old and has nothing to come is gone."""
        model, now = self.model, self.timeline.now
        newest = max((self._wall_at(one.timestamp) for one in attempts), default=message.began_at)
        stopping = {one.id for one in model.endpoints.values() if one.options.stops}
        waits = message.later > now or any(
            one.status.name in ("PENDING", "SENDING") or one.endpoint.id in stopping for one in deliveries
        )
        # It is looked a few times in that time; what was met last may have become old meanwhile.
        look_s = 7_200.0 if self.draw.days else model.payload_kept_s
        gone_by = max(newest, message.began_at) + model.attempts_kept_s + look_s + 10.0
        if not waits and gone_by < now - self._quiet_s and not model.clock_was_set:
            model.violated(f"message {message.number} is still there, although it is too old since {gone_by:.3f}")

    def _made(self, message: Message, one: Any, attempts: list[Any]) -> Made:
        tried = []
        for attempt in attempts:
            began = self._wall_at(attempt.timestamp)
            tried.append(Tried(began, began + attempt.response_duration_ms / 1000, attempt.trigger_type != 0))
        return Made(message, one.status.name.lower(), one.reason, tried)

    def _check_delivery(
        self, endpoint: Endpoint, one: Made, attempts: list[Any], turn_at: float, stopped: set[str | None]
    ) -> None:
        """``stopped``: the ordering keys of the endpoint that wait for somebody."""
        model, message, kind = self.model, one.message, one.kind
        what = f"message {message.number} to {endpoint.key}"
        delivery = model.delivery(message, endpoint)
        model.check_attempts(message, endpoint, attempts, self._wall_at, turn_at)
        if endpoint.deleted is not None:
            return
        if kind in ("pending", "sending"):
            if message.later <= self.timeline.now and not model.clock_was_set and message.ordering_key not in stopped:
                model.violated(f"{what} is still {kind}, and nothing is in its way")
            return
        reasons = {
            "endpoint disabled": any(span.value for span in endpoint.closed),
            "retries exhausted": any(attempt.status != 0 for attempt in attempts),
            # As long as an attempt is scheduled, the payload stays.
            "payload expired or expunged": message.cancelled_at < math.inf
            or (bool(endpoint.again or delivery.manual) and not model.keeps_all),
        }
        if kind == "fail" and not reasons.get(one.reason or "", True):
            model.violated(f"{what} has failed ({one.reason}), for which there is no reason")
        if (
            kind == "fail"
            and one.reason == "retries exhausted"
            and not endpoint.again
            and turn_at != math.inf
            and sum(attempt.trigger_type == 0 for attempt in attempts) != len(endpoint.options.ladder_s) + 1
            and not model.taken_over(one.tried[0].began - 2, one.tried[-1].ended)
        ):
            model.violated(f"{what} is exhausted after {len(attempts)} attempts")
        if kind == "success" and not any(attempt.status == 0 for attempt in attempts):
            model.violated(f"{what} has succeeded, without an attempt that did")
        if any(attempt.status == 0 for attempt in attempts) and kind != "success" and not endpoint.again:
            model.violated(f"{what} is {kind}, although an attempt succeeded")
        # `canceled` must have been asked for.
        if endpoint.options.transformed and message.word == CANCELLED_WORD:
            if kind == "success":
                model.violated(f"{what} has succeeded, and should have been cancelled by its transformation")
            return
        if kind == "canceled" and message.cancelled_at == math.inf and delivery.skipped_at == math.inf:
            model.violated(f"{what} is cancelled, which nobody asked for")

    async def _check_endpoint(self, engine: Engine, endpoint: Endpoint, counts: dict[str, int]) -> None:
        model, now = self.model, self.timeline.now
        stored = await engine.endpoints.get(endpoint.application, endpoint.key)
        may_be = endpoint.values(endpoint.closed, now, now)
        if stored.disabled not in may_be and endpoint.closed[-1].sure < math.inf:
            model.violated(f"{endpoint.key} is {'disabled' if stored.disabled else 'enabled'}, and should not be")
        stats = await engine.endpoints.stats(endpoint.application, endpoint.key)
        told = {"success": stats.success, "fail": stats.fail, "pending": stats.pending + stats.sending}
        if told != counts and not model.clock_was_set:
            model.violated(f"{endpoint.key}: its statistics say {told}, its attempts and deliveries {counts}")

    async def _check_lists(self, engine: Engine, endpoint: Endpoint, expected: _Lists) -> None:
        """What the endpoint says of its messages and attempts is what the messages say of the endpoint."""
        application, key = endpoint.application, endpoint.key
        attempts = {one.id async for one in engine.attempts.iterate_by_endpoint(application, key)}
        if attempts != expected.attempts:
            self.violated(f"{key}: its list of attempts has {len(attempts)}, its messages {len(expected.attempts)}")
        deliveries: dict[str, str] = {}
        page = await engine.attempts.list_attempted_messages(application, key, limit=250)
        deliveries.update((one.message.id, one.status.name) for one in page.data)
        while not page.done:
            page = await engine.attempts.list_attempted_messages(application, key, limit=250, iterator=page.iterator)
            deliveries.update((one.message.id, one.status.name) for one in page.data)
        if deliveries != expected.deliveries:
            differ = sorted(set(deliveries.items()) ^ set(expected.deliveries.items()))
            self.violated(f"{key}: its list of messages differs from what they say of it: {differ[:4]}")

    # Who may send.

    def _look_at_holders(self) -> None:
        """No shard is held by two engines that may send, and each is held as the server says."""
        seen: list[tuple[str, frozenset[int]]] = []
        for host in self.hosts:
            if host.engine is None or not host.alive or host.loop is None:
                continue
            ownership = host.engine._flow.ownership
            # Who is paused does nothing; what it may do afterwards is looked at then.
            if host.loop.frozen_until > self.timeline.now or not ownership.may_begin():
                continue
            for other, shards in seen:
                if both := shards & ownership.shards:
                    self.violated(
                        f"{other} and {host.life.name} both hold {len(both)} shards at {self.timeline.now:.3f}, "
                        f"{min(both)} among them"
                    )
                    return
            seen.append((host.life.name, ownership.shards))
        self.timeline.after(0.1, self._look_at_holders)

    def _look_at_memory(self, bounds: Bounds) -> None:
        for host in self.hosts:
            if host.engine is not None and host.alive and host.loop is not None:
                bounds.check(host.engine, host.loop.name, self.violated)
        if not self.healing and not self.model.violations:
            self.timeline.after(LOOK_AT_MEMORY_EVERY_S * self._scale(), self._look_at_memory, bounds)

    def _watched(self, begin: Callable[..., Begun]) -> Callable[..., Begun]:
        """An attempt begins for a reason, and only in the engine that holds the endpoint, as the server has it."""

        def watched(attempter: Attempter, target: Target, due: Due, payload: bytes, request: Due) -> Begun:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, ProcessLoop)
            number = (due.event_id or "").removeprefix("n-")
            if number.isdecimal():
                self.model.begins(int(number), due.endpoint_id, self.timeline.now, by_hand=due.manual_id is not None)
            if self.bounds is not None:
                for host in self.hosts:
                    if host.loop is loop and host.engine is not None:
                        self.bounds.check(host.engine, loop.name, self.violated)
            if self.server is not None:
                self._look_at_holder(loop, self.server, shard_of(due.endpoint_id))
            return begin(attempter, target, due, payload, request)

        return watched

    def _look_at_holder(self, loop: ProcessLoop, server: Server, shard: int) -> None:
        member_id = loop.line.member_id
        if server.holders[shard] != member_id:
            self.violated(
                f"{loop.name} begins an attempt at {self.timeline.now:.3f} as {member_id}, and its endpoint's "
                f"shard {shard} is held by {server.holders[shard]}"
            )

    def run(self) -> Result:
        """Let it happen."""
        handler = _Log(self)
        logger = logging.getLogger("webhook_engine")
        level, propagates = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        collects = gc.isenabled()
        gc.disable()
        try:
            with ExitStack() as stack:
                stack.enter_context(simulated(self.timeline, self.network, random.Random(self.seed)))
                stack.enter_context(_paces(self.draw))
                if self.bounds is not None:
                    stack.enter_context(self.bounds.kept())
                    self.timeline.after(LOOK_AT_MEMORY_EVERY_S, self._look_at_memory, self.bounds)
                stack.enter_context(mock.patch.object(Attempter, "_begin", self._watched(Attempter._begin)))
                if self.server is not None:
                    stack.enter_context(shared(self.server))
                    self.timeline.after(0.1, self._look_at_holders)
                kept = f"kept for {self.model.attempts_kept_s} s, payloads for {self.model.payload_kept_s} s"
                self.say(f"seed {self.seed}: {kept}, {self.bounds}, {self.draw}")
                self.timeline.at(0.0, self.begin_life, self.hosts[0])
                self.timeline.run(self.draw.span_s * 3 + 400_000.0)
                if not self._ended:
                    self.violated("the world did not come to its end")
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates
            if collects:
                gc.enable()
        return self.result()


_WAITING = """
SELECT message.event_id, delivery.endpoint_id, delivery.due_at, delivery.step, attempt.id, duration_ms, status_code
FROM webhook_delivery AS delivery
JOIN webhook_message AS message ON message.id = delivery.message_id
JOIN webhook_attempt AS attempt ON attempt.id = (
    SELECT max(id) FROM webhook_attempt WHERE message_id = message.id AND endpoint_id = delivery.endpoint_id
)
WHERE due_at IS NOT NULL AND step > 0 AND asked = 0
"""

_LEFT = (
    f"SELECT EXISTS (SELECT 1 FROM webhook_delivery WHERE due_at < {NOT_YET})",
    "SELECT EXISTS (SELECT 1 FROM webhook_manual_attempt)",
    "SELECT EXISTS (SELECT 1 FROM webhook_outbox)",
    "SELECT EXISTS (SELECT 1 FROM webhook_task WHERE status = 'running')",
)


async def _all_destinations(engine: Engine, message: Message) -> Any:
    iterator: str | None = None
    while True:
        page = await engine.attempts.list_attempted_destinations(
            message.application, str(message.id), limit=250, iterator=iterator
        )
        for one in page.data:
            yield one
        if page.done:
            return
        iterator = page.iterator


_PAUSED = re.compile(r"endpoint\.paused endpoint_id=(\S+) until=(\S+)")


class _Log(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self._world.say(f"    log: {text}")
        if (told := _PAUSED.search(text)) and not self._world.model.clock_was_set:
            self._world.endpoint_waits(told[1], datetime.fromisoformat(told[2]))
        if "broken" in text or "crashed" in text or "not_made" in text:
            self._world.violated(f"the engine logged {text}"[:300])


@contextmanager
def _folder() -> Iterator[Path]:
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="simulated-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _empty_database() -> bytes:
    """Each world begins with the same one, so that the schema is made only once."""

    async def make(path: Path) -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()

    with _folder() as folder:
        asyncio.run(make(folder / "empty.db"))
        return (folder / "empty.db").read_bytes()


def prepare() -> None:
    """Have what all worlds need made once, before processes are forked off."""
    _empty_database()
    client_context()


def simulate(seed: int, **fixed: Any) -> Result:
    """The world of a seed, from its beginning to its end; in a process that ends soon after, see ``forked``."""
    with _folder() as folder:
        world = World(seed, folder, **fixed)
        world.disk.path.write_bytes(_empty_database())
        return world.run()
