"""What the halving schedulers decide does not change unnoticed.

To record anew: ``python -m tests.schedulers.test_golden``.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from luthier.core import events as ev
from luthier.core.engine import Engine
from luthier.core.goal import Goal
from luthier.core.limits import Limits
from luthier.schedulers.asha import Asha
from luthier.schedulers.pasha import Pasha
from luthier.schedulers.promotion import AshaPromotion
from luthier.search.fixed import Fixed
from luthier.simulation.world import World

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = {
    "asha": lambda: Asha(max_t=27, reduction_factor=3, brackets=2),
    "asha_promotion": lambda: AshaPromotion(max_t=27, reduction_factor=3),
    "pasha": lambda: Pasha(max_t=27, reduction_factor=3),
}


def curve(config, step):
    """Return a loss: falling, crossing, for some NaN; no two trials are equal."""
    if config["i"] % 8 == 5:
        return math.nan
    slope = 1 + config["i"] * 5 % 7
    return round(config["i"] * 3 % 11 / 11 + slope / (step + 1), 4)


def decisions(kind):
    """Return a line for each decision: the event, its trial, and why in words and values."""
    configs = [{"i": i} for i in range(24)]
    world = World(
        Engine(Limits(num_trials=24, seed=11, max_failures=1), Fixed(configs), KINDS[kind](), (Goal("loss", "min"),)),
        curve, lambda config, _: 1 + config["i"] / 9, 40, 4, failure_rate=0.02, seed=4,
    )  # fmt: skip
    world.run()
    decided = [e for e in world.log if isinstance(e, (ev.Halted, ev.Requeued, ev.Ended)) and e.why]
    return "".join(f"{type(e).__name__} {e.trial} {e.reason} {e.why}\n" for e in decided)


@pytest.mark.parametrize("kind", KINDS)
def test_decisions_are_what_they_were(kind):
    assert decisions(kind) == (GOLDEN / f"{kind}.txt").read_text("utf-8")


if __name__ == "__main__":
    for name in KINDS:
        (GOLDEN / f"{name}.txt").write_text(decisions(name), "utf-8")
