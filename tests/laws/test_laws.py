"""The twelve laws, over every pair of policies."""

from __future__ import annotations

import itertools

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.laws.machine import SETTINGS, Laws
from tests.laws.policies import SCHEDULERS, SEARCHERS

PAIRS = list(itertools.product(SEARCHERS, SCHEDULERS))


@pytest.mark.parametrize(("searcher", "scheduler"), PAIRS, ids=["+".join(pair) for pair in PAIRS])
def test_laws(searcher, scheduler):
    machine = type("Laws", (Laws,), {"searcher_name": searcher, "scheduler_name": scheduler})
    run_state_machine_as_test(machine, settings=SETTINGS)
