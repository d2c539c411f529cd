"""Population based training on a model that needs a schedule: a real model, real data, the budget of a grid search."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "population.py"


@pytest.fixture(scope="module")
def population():
    spec: Any = importlib.util.spec_from_file_location("population_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_constant_rate_does_as_well_with_the_same_budget(population, seed, tmp_path):
    constant, found = population.compare(seed, verbose=0, executor="inline", storage_path=tmp_path)
    assert found < 0.9 * constant


def test_nor_does_a_finer_grid_with_twice_the_budget(population, tmp_path):
    losses = []
    for rate in np.geomspace(0.01, 0.3, 2 * population.TRIALS):
        trainable = population.Digits({"rate": float(rate), "seed": 1})
        losses.append([trainable.train()["loss"] for _ in range(population.ROUNDS)][-1])
    _, found = population.compare(1, verbose=0, executor="inline", storage_path=tmp_path)
    assert found < 0.9 * min(losses)
