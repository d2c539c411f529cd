"""What ours makes of a config is what Ray's PBT makes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from luthier import tune
from luthier.core.rng import rng_at
from luthier.tune.schedulers import PopulationBasedTraining
from tests.differential.explore_ray import DRAWS, at, flat, outcome


def ours(mutation):
    match mutation:
        case ["list", options]:
            return options
        case ["uniform", low, high]:
            return tune.uniform(low, high)
        case ["choice", options]:
            return tune.choice(options)
        case ["function", value]:
            return lambda: value
        case ["dict", inner]:
            return {name: ours(m) for name, m in inner.items()}
    raise AssertionError(mutation)


def test_the_same_may_come_of_a_config(recorded):
    cases = recorded("explore")
    assert len(cases) >= 40
    for number, case in enumerate(cases):
        mutations = case["mutations"]
        explore: Any = PopulationBasedTraining(
            hyperparam_mutations={name: ours(m) for name, m in mutations.items()},
            resample_probability=case["resample"],
            perturbation_factors=case["factors"],
        )._explore()
        source = SimpleNamespace(config=case["config"])
        found: dict[str, set[str]] = {path: set() for path in flat(mutations)}
        for draw in range(DRAWS):
            new, operations = explore(source, source, None, rng_at(5, draw))
            for path, mutation in flat(mutations).items():
                found[path].add(outcome(mutation, operations[path], at(new, path)))
        assert {path: sorted(texts) for path, texts in found.items()} == case["outcomes"], f"case {number}: {case}"
