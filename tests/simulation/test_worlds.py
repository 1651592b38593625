"""Worlds in which everything goes wrong, and everything that was promised holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
SEEDS = os.environ.get("WEBHOOK_ENGINE_SEEDS", "2-24")


def begun(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, RUN, *arguments], stdout=subprocess.PIPE, text=True)


def run(*arguments: str) -> str:
    process = begun(*arguments)
    output, _ = process.communicate()
    assert process.returncode == 0, output[-8_000:]
    summary = output.splitlines()[-1]
    print(summary)
    assert summary.endswith("all hold")
    return summary


@pytest.mark.timeout(300)
def test_what_is_promised_holds_in_a_world_of_one_engine_and_in_one_of_three() -> None:
    run("--seeds", "0-1")
    run("--seed", "1", "--engines", "3")


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_the_same_seed_gives_the_same_world_to_the_byte() -> None:
    processes = [begun("--seed", seed, "--trace-hash") for seed in ("7", "7", "8")]
    first, again, other = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert first == again != other
    assert len(first.strip()) == 64


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_ever_failed_holds() -> None:
    run("--known", "--jobs", "2")


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_what_is_promised_holds_in_more_worlds() -> None:
    run("--seeds", SEEDS, "--jobs", "2")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_days_of_a_small_platform() -> None:
    summary = run("--days", "10", "--seed", "3")
    assert float(summary.split(", ")[1].split()[0]) > 10
