"""Simulated worlds from the command line.

python tests/simulation/run.py --seeds 0-49          # exit 0, with a summary as the last line
python tests/simulation/run.py --seed 7 --log        # what happened in one
python tests/simulation/run.py --seed 7 --trace-hash # one hash, the same each time
python tests/simulation/run.py --fresh 1000          # seeds that the date gives, other ones every day
python tests/simulation/run.py --known               # the seeds that ever failed
"""

from __future__ import annotations

import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    # The order of a set of texts must be the same in each run.
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})

import argparse
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.forked import results
from simulation.options import KINDS

KNOWN = Path(__file__).with_name("seeds.txt")
FRESH_FROM, FRESH_A_DAY = 1_000_000, 10_000
"""Where the seeds of a day are: the same for everybody who looks on that day, and never used again."""


def worlds_of(arguments: argparse.Namespace) -> list[tuple[int, dict[str, Any]]]:
    """The seeds that the arguments say, each with what is not drawn from it."""
    fixed: dict[str, Any] = {}
    if arguments.days is not None:
        fixed = {"days": True, "span_s": arguments.days * 86_400}
    if arguments.engines is not None:
        fixed |= {"hosts": arguments.engines, "days": False}
    if arguments.plain:
        fixed |= {"plain": True}
    if arguments.asking is not None:
        fixed |= {"kinds": list(KINDS) if arguments.asking == "all" else arguments.asking.split(",")}
    if arguments.known:
        lines = (line.partition("#")[0].split() for line in KNOWN.read_text().splitlines())
        return [(int(seed), {"hosts": int(of[0]), "days": False} if of else fixed) for seed, *of in filter(None, lines)]
    if arguments.fresh is not None:
        day = arguments.day or datetime.now(UTC).date().isoformat()
        first = FRESH_FROM + datetime.fromisoformat(day).toordinal() * FRESH_A_DAY
        return [(seed, fixed) for seed in range(first, first + arguments.fresh)]
    begin, _, end = (arguments.seeds or str(arguments.seed or 0)).partition("-")
    return [(seed, fixed) for seed in range(int(begin), int(end or begin) + 1)]


def within(worlds: list[tuple[int, dict[str, Any]]], seconds: float | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """As many of them as can be begun in so much time."""
    began = time.monotonic()
    for world in worlds:
        if seconds is not None and time.monotonic() - began > seconds:
            return
        yield world


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", metavar="FIRST-LAST")
    which.add_argument("--seed", type=int)
    which.add_argument("--fresh", type=int, metavar="COUNT", help="so many seeds of the day")
    which.add_argument("--known", action="store_true", help="the seeds that ever failed")
    parser.add_argument("--day", metavar="YYYY-MM-DD", help="whose fresh seeds; today's by default")
    parser.add_argument("--trace-hash", action="store_true", help="print nothing but the hash of what happened")
    parser.add_argument("--log", action="store_true", help="print what happened")
    parser.add_argument("--first", action="store_true", help="end with the first world in which something fails")
    parser.add_argument("--within", type=float, metavar="SECONDS", help="begin no world after so many")
    parser.add_argument("--jobs", type=int, default=1, help="how many worlds at once")
    parser.add_argument("--days", type=float, help="a small platform, for so many days")
    parser.add_argument("--asking", metavar="KINDS", help="what endpoints may ask for, such as order,stop")
    parser.add_argument("--plain", action="store_true", help="endpoints ask for nothing; much is kept, and for long")
    parser.add_argument("--engines", type=int, help="so many of them on one server; drawn by default")
    arguments = parser.parse_args()
    failed, simulated_s, requests, count, began = [], 0.0, 0, 0, time.monotonic()
    for result in results(within(worlds_of(arguments), arguments.within), arguments.jobs):
        count += 1
        simulated_s += result.simulated_s
        requests += result.requests
        if arguments.trace_hash:
            print(result.trace)
        if arguments.log or (result.violations and not arguments.trace_hash):
            print("\n".join(result.log if arguments.log else result.log[-40:]))
        if result.violations:
            failed.append(result.seed)
            if not arguments.trace_hash:
                for violation in result.violations[:10]:
                    print(f"seed {result.seed}: {violation}")
                engines = "" if result.engines is None else f" --engines {result.engines}"
                asking = "" if arguments.asking is None else f" --asking {arguments.asking}"
                plain = " --plain" if arguments.plain else ""
                days = "" if arguments.days is None else f" --days {arguments.days:g}"
                again = f"python tests/simulation/run.py --seed {result.seed}{engines}{asking}{plain}{days} --log"
                print(f"again: {again}", flush=True)
            if arguments.first:
                break
    if not arguments.trace_hash:
        spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        print(
            f"{count} worlds, {simulated_s / 86_400:.1f} simulated days, {requests} requests, "
            f"{sum(one.ru_utime + one.ru_stime for one in spent):.1f} s of CPU, {time.monotonic() - began:.1f} s; "
            + (f"FAILED: {' '.join(map(str, sorted(failed)))}" if failed else "all hold")
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
