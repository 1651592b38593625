"""Simulated worlds from the command line.

python tests/simulation/run.py --seeds 0-49          # exit 0, with a summary as the last line
python tests/simulation/run.py --seed 7 --log        # what happened in one
python tests/simulation/run.py --seed 7 --trace-hash # one hash, the same each time
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation.world import simulate


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", metavar="FIRST-LAST")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--trace-hash", action="store_true", help="print nothing but the hash of what happened")
    parser.add_argument("--log", action="store_true", help="print what happened")
    parser.add_argument(
        "--first", action="store_true", help="end with the first world in which something does not hold"
    )
    parser.add_argument("--days", type=float, help="a small platform, for so many days")
    arguments = parser.parse_args()
    first, _, last = (arguments.seeds or str(arguments.seed or 0)).partition("-")
    fixed = {} if arguments.days is None else {"days": True, "span_s": arguments.days * 86_400}
    failed, simulated_s, requests, began = [], 0.0, 0, time.monotonic()
    for seed in range(int(first), int(last or first) + 1):
        result = simulate(seed, **fixed)
        simulated_s += result.simulated_s
        requests += result.requests
        if arguments.trace_hash:
            print(result.trace)
        if arguments.log or (result.violations and not arguments.trace_hash):
            print("\n".join(result.log if arguments.log else result.log[-40:]))
        if result.violations:
            failed.append(seed)
            if not arguments.trace_hash:
                for violation in result.violations[:10]:
                    print(f"seed {seed}: {violation}")
                print(f"again: python tests/simulation/run.py --seed {seed} --log", flush=True)
            if arguments.first:
                break
    if not arguments.trace_hash:
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        count = seed - int(first) + 1
        print(
            f"{count} worlds, {simulated_s / 86_400:.1f} simulated days, {requests} requests, "
            f"{cpu.ru_utime + cpu.ru_stime:.1f} s of CPU, {time.monotonic() - began:.1f} s; "
            + (f"FAILED: {' '.join(map(str, failed))}" if failed else "all hold")
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
