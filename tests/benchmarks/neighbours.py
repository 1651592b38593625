"""Whether a filter or a script of the worst kind does harm to other endpoints: latency of a healthy one, in turns.

    python tests/benchmarks/neighbours.py [--rounds 7] [--seconds 3] [--json FILE]

Beside a healthy endpoint, which gets 100 small messages a second, another application is sent the same in every turn:
10 messages a second, two of them nearly as large as may be. Only what its endpoint asks for differs: nothing in one
turn, and in the others a filter that is as costly as can be, or a script that loops for ever, takes all memory, or
prints without end. A figure is the median over the rounds of the p99 of the healthy endpoint's latency, from ``create``
to arrival, in the unit of that of both turns without. All turns alternate, so that what else the machine does meets all
of them; processes of scripts get the same processors as the engine. Exits 1 if one is more than twice as long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from webhook_engine import Engine

sys.path.insert(0, str(Path(__file__).parent.parent))

from receivers import Arrivals, Receiver

WITHOUT, AGAIN = "nothing", "nothing, once more"
LIMIT = 2.0
SMALL = b'{"id": 1}'
LARGE = json.dumps({"l": [{"x": -1}] * 90_000}).encode()
"""Nearly as large as a payload may be."""
BIG_EACH = 5

CASES: Mapping[str, str | Mapping[str, object]] = {
    WITHOUT: {},
    AGAIN: {},
    "a filter of 30 conditions on each of 90,000 items": {"l": [{"x": number} for number in range(30)]},
    "a filter of 64 conditions": {f"l.m{number}": 1 for number in range(64)},
    "a script that loops for ever": "function handler(webhook) { for (;;); }",
    "a script that takes all memory": "function handler() { const all = []; for (;;) all.push(new Array(1e5)); }",
    "a script that prints without end": "function handler(webhook) { for (;;) console.log('x'.repeat(1e4)); }",
    "a script that returns too much": "function handler() { return { payload: 'x'.repeat(5e6) }; }",
}


async def turn(engine: Engine, bad: str, arrivals: Arrivals, seconds: float) -> tuple[float, float]:
    """The median and the p99 of the healthy endpoint's latency, in milliseconds."""
    created: dict[str, float] = {}
    sending: set[asyncio.Task[None]] = set()

    async def healthy() -> None:
        begun = time.perf_counter()
        message = await engine.messages.create("healthy", event_type="a.b", payload=SMALL)
        created[message.id] = begun

    async def other(number: int) -> None:
        payload = LARGE if number % BIG_EACH == 0 else SMALL
        await engine.messages.create(bad, event_type="a.b", payload=payload)

    begun = time.perf_counter()
    for number in range(round(seconds * 100)):
        # At its own time, whatever happened to those before.
        await asyncio.sleep(max(0.0, begun + number / 100 - time.perf_counter()))
        sending.add(asyncio.create_task(healthy()))
        if number % 10 == 0:
            sending.add(asyncio.create_task(other(number // 10)))
    await asyncio.gather(*sending)
    while not created.keys() <= arrivals.at.keys():
        await asyncio.sleep(0.01)
    found = [(arrivals.at[message] - at) * 1e3 for message, at in created.items()]
    arrivals.at.clear()
    # What is left of the other one's is not in the next turn.
    await engine.endpoints.cancel_pending(bad, bad)
    await engine.join(timeout=60)
    return statistics.median(found), statistics.quantiles(found, n=100)[98]


async def measured(rounds: int, seconds: float) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Median and p99 of each case in each round."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    arrivals = Arrivals()
    settings = {"allow_subnets": ["127.0.0.1/32"], "transformations__scripts": True, "retry_schedule": ["1s"]}
    with tempfile.TemporaryDirectory() as directory:
        async with (
            Receiver(arrivals) as receiver,
            Receiver() as others,
            Engine.open(Path(directory) / "bench.db", **settings) as engine,  # type: ignore[arg-type]
        ):
            await engine.applications.create(name="Healthy", uid="healthy")
            await engine.endpoints.create("healthy", url=receiver.url)
            for number, asked in enumerate(CASES.values()):
                name = f"bad{number}"
                await engine.applications.create(name=name, uid=name)
                options = {"filter": asked} if isinstance(asked, Mapping) and asked else {}
                await engine.endpoints.create(name, url=others.url, uid=name, **options)  # type: ignore[arg-type]
                if isinstance(asked, str):
                    await engine.endpoints.patch_transformation(name, name, code=asked, enabled=True)
            names = list(CASES)
            for number in range(rounds + 1):
                order = names[number % len(names) :] + names[: number % len(names)]
                for name in order:
                    figures = await turn(engine, f"bad{names.index(name)}", arrivals, seconds if number else 0.5)
                    if number:
                        found[name].append(figures)
                others.requests.clear()
    return found


async def main(rounds: int, seconds: float, json_to: Path | None) -> int:
    sys.setswitchinterval(0.0002)
    found = await measured(rounds, seconds)
    table = []
    without = statistics.median(p99 for name in (WITHOUT, AGAIN) for _, p99 in found[name])
    for name, figures in found.items():
        median, p99 = (statistics.median(column) for column in zip(*figures, strict=True))
        table.append((name, median, p99, p99 / without))
    print(f"{'beside it':52} {'median':>8} {'p99':>8} {'p99, of that without':>21}")
    for name, median, p99, ratio in table:
        print(f"{name:52} {median:5.1f} ms {p99:5.1f} ms {ratio:21.2f}")
    if json_to is not None:
        json_to.write_text(
            json.dumps([dict(zip(("beside", "median_ms", "p99_ms", "ratio"), one, strict=True)) for one in table])
        )
    return 1 if any(ratio > LIMIT for *_, ratio in table) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sys.exit(uvloop.run(main(arguments.rounds, arguments.seconds, arguments.json)))
