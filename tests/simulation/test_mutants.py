"""The simulation finds faults: each mutant of the engine within a hundred seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mutants import MUTANTS, PACKAGE, SEEDS, Mutant, found_by


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_that_a_mutant_changes_is_there_once(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.module).read_text().count(mutant.text) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_found_within_a_hundred_seeds(mutant: Mutant, tmp_path: Path) -> None:
    # Any change of the engine makes the worlds others: then the seed that found it is looked for anew.
    seed, said = found_by(mutant, tmp_path, str(mutant.seed))
    if seed is None:
        seed, said = found_by(mutant, tmp_path, SEEDS)
    assert seed is not None, said
