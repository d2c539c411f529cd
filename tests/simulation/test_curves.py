"""Curves from formulas and from tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from luthier.core.engine import Engine
from luthier.core.errors import BadArgument
from luthier.core.limits import Limits
from luthier.schedulers.fifo import Fifo
from luthier.search.fixed import Fixed
from luthier.simulation.curves import CURVES, branin, diverging, exponential, power_law
from luthier.simulation.tables import Table
from luthier.simulation.world import World

CONFIG = {"lr": 0.01, "momentum": 0.9, "floor": 0.2, "rate": 0.1, "x": math.pi, "y": 2.275}


@pytest.mark.parametrize("name", CURVES)
def test_curves_fall(name):
    values: list[Any] = [CURVES[name](CONFIG, step) for step in (1, 2, 4, 8)]
    assert all(type(value) is float for value in values) and values == sorted(values, reverse=True)


def test_formulas():
    assert power_law({"lr": 0.1}, 1) == pytest.approx(0.1 + 1.0)
    assert power_law({"lr": 0.01, "momentum": 0.4}, 10**12) == pytest.approx(0.25, abs=1e-5)
    assert exponential({"floor": 0.25, "rate": 1.0}, 1) == pytest.approx(0.25 + 0.75 / math.e)
    assert not math.isnan(diverging({"lr": 0.1}, 1)) and math.isnan(diverging({"lr": 0.1}, 2))
    for x, y in ((-math.pi, 12.275), (math.pi, 2.275), (9.42478, 2.475)):  # the three minima
        assert branin({"x": x, "y": y}, 10**9) == pytest.approx(0.397887, abs=1e-5)


def test_a_table_is_replayed():
    curves = np.array([[0.9, 0.5, 0.4], [0.8, 0.7, np.nan]])
    table = Table(curves, cost=np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 0.5]]), metric="err", axis="trial")
    engine = Engine(Limits(), Fixed(table.configs()), Fifo())
    world = World(engine, table, table.cost, table.length)
    world.run()
    assert world.now == 7.5 and world.reports == 6 and len(table) == 2
    reported = [event.metrics["err"] for event in world.log if hasattr(event, "metrics")]
    assert reported[:5] == [0.9, 0.5, 0.4, 0.8, 0.7] and math.isnan(reported[5])


def test_several_metrics_ragged_rows_and_simple_costs():
    table = Table({"loss": [[1.0], [2.0, 3.0]], "acc": [[0.1], [0.2, 0.3]]}, cost=[1.0, 5.0])
    assert table({"row": 1}, 2) == {"loss": 3.0, "acc": 0.3}
    assert table.length({"row": 0}) == 1 and table.cost({"row": 1}, 1) == 5.0
    assert Table([[1.0]]).cost({"row": 0}, 1) == 1.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"curves": []}, "at least one row"),
        ({"curves": {}}, "at least one row"),
        ({"curves": [[1.0], []]}, "at least one step"),
        ({"curves": {"a": [[1.0]], "b": [[1.0, 2.0]]}}, r"curves\['b'\]"),
        ({"curves": [[1.0], [2.0]], "cost": [1.0]}, "cost="),
    ],
)
def test_bad_tables(arguments, says):
    with pytest.raises(BadArgument, match=says):
        Table(**arguments)
