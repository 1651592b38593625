"""The simulation finds faults: each mutant of the engine within a hundred seeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .mutants import MUTANTS, Mutant

RUN = Path(__file__).with_name("run.py")
PACKAGE = Path(__file__).parents[2] / "webhook_engine"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_changes_is_there_once(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.module).read_text().count(mutant.text) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_found_within_a_hundred_seeds(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / "webhook_engine"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    module = copy / mutant.module
    module.write_text(module.read_text().replace(mutant.text, mutant.instead))
    run = subprocess.run(
        [sys.executable, RUN, "--seeds", "0-99", "--first"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, f"not found: {run.stdout[-500:]}"
    assert "FAILED" in run.stdout.splitlines()[-1], run.stderr[-500:]
