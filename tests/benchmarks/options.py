"""What the options of an endpoint cost: CPU of a delivery with each of them, beside one with none, in turns.

    python tests/benchmarks/options.py [--messages 3000] [--rounds 7] [--json FILE]

Each application has one endpoint of the same receiver, which answers at once. In each round every one of them gets the
same messages, in another order each time; a figure is the median over the rounds of what its messages took beside those
of the plain endpoint in the same round. It is the CPU of this process with all its threads, and of the processes in
which scripts run. Exits 1 if a message did not arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop
from engine import counted, receiver

from webhook_engine import Engine, OutgoingWebhook

PLAIN = "plain"
TEXT = "The invoice of the month was paid, and here is all that was on it. "
PAYLOAD = json.dumps({"type": "invoice.paid", "amount": 120, "customer": {"country": "DE"}, "note": TEXT * 15}).encode()
FILTER = {"amount": {"$gt": 100}, "customer.country": {"$in": ["DE", "FR"]}}
SCRIPT = "function handler(webhook) { webhook.payload.seen = true; return webhook }"
CREATORS = 64

CASES: Mapping[str, Mapping[str, object]] = {
    PLAIN: {},
    "plain, once more": {},
    "filter that lets everything through": {"filter": FILTER},
    "basic authentication": {"authentication": {"type": "basic", "username": "shop", "password": "secret"}},
    "timeout and retry schedule of its own": {"timeout": "5s", "retry_schedule": ["1s", "5s"]},
    "timeout of its own for an event type": {"timeout_by_event_type": {"invoice.*": "5s"}},
    "circuit breaker": {"circuit_breaker": True},
    "PUT, query, user agent": {"method": "PUT", "query": {"source": "shop"}, "user_agent": "Shop/1"},
    "gzip": {"compression": "gzip"},
    "order, 64 keys": {"ordering": "fifo"},
    "order, 4 keys, batches of up to 20": {"ordering": "fifo", "batch_size": 20, "batch_wait": "50ms"},
    "function of the platform": {"transformation": "stamped"},
    "script": {},
}


def cpu_seconds(*, without: int) -> float:
    """Of this process and of its children, but for one."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ticks = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            if child != without:
                # utime, stime, and those of its own children.
                ticks += sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return usage.ru_utime + usage.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


async def one_round(engine: Engine, application: str, messages: int, keys: int, of_receiver: int) -> float:
    """Microseconds of CPU for each message, from the first ``create`` to the last recorded success."""
    todo = iter(range(messages))

    async def create() -> None:
        for number in todo:
            await engine.messages.create(
                application, event_type="invoice.paid", payload=PAYLOAD, ordering_key=str(number % keys)
            )

    before = cpu_seconds(without=of_receiver)
    await asyncio.gather(*(create() for _ in range(CREATORS)))
    while (await engine.endpoints.stats(application, application)).pending:
        await engine.join(timeout=300)
        await asyncio.sleep(0.02)
    return (cpu_seconds(without=of_receiver) - before) / messages * 1e6


async def measured(messages: int, rounds: int) -> tuple[Mapping[str, Sequence[float]], int]:
    """The CPU of each case in each round, and how many messages were lost."""
    found: dict[str, list[float]] = {name: [] for name in CASES}
    lost = 0
    with receiver() as url, tempfile.TemporaryDirectory() as directory:
        [of_receiver] = map(int, Path("/proc/self/task", str(os.getpid()), "children").read_text().split())
        settings = {"allow_subnets": ["127.0.0.1/32"], "transformations__scripts": True}
        async with Engine.open(Path(directory) / "bench.db", **settings) as engine:

            @engine.transformation("stamped")
            def stamped(webhook: OutgoingWebhook) -> OutgoingWebhook:
                return webhook

            for number, options in enumerate(CASES.values()):
                await engine.applications.create(name="Benchmark", uid=f"case{number}")
                await engine.endpoints.create(f"case{number}", url=url, uid=f"case{number}", **options)  # type: ignore[arg-type]
            await engine.endpoints.patch_transformation(
                f"case{len(CASES) - 1}", f"case{len(CASES) - 1}", code=SCRIPT, enabled=True
            )
            names = list(CASES)
            for turn in range(rounds + 1):
                order = names[turn % len(names) :] + names[: turn % len(names)]
                for name in order:
                    count = messages // 10 if name == "script" or not turn else messages
                    await counted(url)
                    cpu = await one_round(
                        engine, f"case{names.index(name)}", count, 4 if "4 keys" in name else CREATORS, of_receiver
                    )
                    requests, _ = await counted(url)
                    if "batches" not in name and "PUT" not in name:
                        lost += max(0, count - requests)
                    if turn:
                        found[name].append(cpu)
    return found, lost


async def main(messages: int, rounds: int, json_to: Path | None) -> int:
    sys.setswitchinterval(0.0002)
    found, lost = await measured(messages, rounds)
    table = []
    for name, figures in found.items():
        ratios = [one / plain for one, plain in zip(figures, found[PLAIN], strict=True)]
        table.append((name, statistics.median(figures), statistics.median(ratios), min(ratios), max(ratios)))
    print(f"{'endpoint':40} {'CPU µs':>8} {'ratio':>6} {'least':>6} {'most':>6}")
    for name, cpu, *ratio in table:
        print(f"{name:40} {cpu:8.0f} {ratio[0]:6.2f} {ratio[1]:6.2f} {ratio[2]:6.2f}")
    if json_to is not None:
        json_to.write_text(json.dumps([dict(zip(("what", "cpu_us", "ratio"), one, strict=False)) for one in table]))
    if lost:
        print(f"LOST {lost}")
    return 1 if lost else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sys.exit(uvloop.run(main(arguments.messages, arguments.rounds, arguments.json)))
