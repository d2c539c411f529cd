"""A few mutants in every test run; ``make mutants`` tries them all."""

from __future__ import annotations

import pytest

from tests.laws.mutants import MUTANTS, QUICK, ROOT, TESTS, Mutant, killed

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_source(mutant):
    source = (ROOT / "src" / "luthier" / "core" / mutant.file).read_text("utf-8")
    compile(mutant.applied(source), mutant.file, "exec")


def test_names_are_unique_and_there_are_many():
    assert len(BY_NAME) == len(MUTANTS) >= 25 and set(QUICK) <= set(BY_NAME)


def test_a_mutant_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="occurs 0 times"):
        Mutant("m", "engine.py", "no such text", "").applied("source")


@pytest.mark.parametrize("name", QUICK)
def test_it_is_killed(name):
    dead, how = killed(BY_NAME[name], TESTS[:-1])
    assert dead and how.startswith("FAILED")


def test_the_core_as_it_is_lives():
    assert killed(Mutant("none", "engine.py", "class Engine:", "class Engine:"), TESTS[:-1]) == (False, "")
