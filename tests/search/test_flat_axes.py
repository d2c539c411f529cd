"""Axes side by side, and the record that goes to libraries with no memory of their own."""

from __future__ import annotations

import pytest

from luthier.core.errors import BadArgument
from luthier.core.policy import Nothing
from luthier.core.rng import rng_at
from luthier.core.space import Categorical, Float, Function, Grid, Integer, Normal, Space
from luthier.search.flat_axes import FlatAxes
from luthier.search.known import Known
from luthier.search.recorded import Recorded

SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "drop": Float(0.0, 0.9, q=0.1),
        "width": Integer(8, 512, log=True, q=8),
        "shift": Normal(10, 2),
        "model": Categorical(["linear", {"depth": Integer(1, 8), "act": Categorical(["relu", None, [1]])}]),
        "one": Categorical(["only"]),
        "still": Integer(3, 3),
        "constant": {"a": 1},
        "twice": Function(lambda config: 2 * config["drop"]),
    }
)


def test_all_axes_with_a_choice_are_asked_for():
    axes = FlatAxes(SPACE, "It")
    assert [(p.axis.name, p.options) for p in axes.parts] == [
        ("lr", None),
        ("drop", None),
        ("width", None),
        ("shift", None),
        ("model", 2),
        ("model[1]/depth", None),
        ("model[1]/act", 3),
    ]


def test_there_and_back():
    """What a library says is a config of the space, and each config has one place."""
    axes = FlatAxes(SPACE, "It")
    for place in range(300):
        rng = rng_at(place)
        values = [rng.random() if part.options is None else rng.below(part.options) for part in axes.parts]
        config = axes.config(values, rng)
        assert config in SPACE
        canonical = axes.values(config)
        again = axes.config(canonical, rng)
        assert all(again[key] == pytest.approx(config[key]) for key in ("lr", "shift"))
        assert {**config, "lr": 0, "shift": 0} == {**again, "lr": 0, "shift": 0}
        if config["model"] == "linear":
            assert canonical[5:] == [0.5, 0]  # what is not alive is no noise for a model
    corners = [
        axes.config([end if p.options is None else p.options - 1 for p in axes.parts], rng) for end in (0.0, 1.0)
    ]
    assert [c["lr"] for c in corners] == pytest.approx([1e-4, 1e-1])
    assert [c["width"] for c in corners] == [8, 512]
    assert [round(c["shift"], 1) for c in corners] == [3.8, 16.2]
    assert axes.config([2.0 if p.options is None else 9 for p in axes.parts], rng) == corners[1]  # beyond the ends
    assert axes.values({"lr": 0.01}) is None and axes.values({**corners[0], "model": "forest"}) is None


def test_a_grid_is_refused():
    with pytest.raises(BadArgument, match=r"'x'.*It does not walk grids"):
        FlatAxes(Space({"x": Grid([1, 2])}), "It")


class Shown(Recorded):
    """Tells what a library would be given."""

    given = None

    def suggested(self, points, scores, seed):
        self.given = points, scores
        return Nothing.EXHAUSTED if seed == 99 else [rng_at(seed).random()]


def test_failures_are_as_bad_and_running_trials_as_good_as_any():
    space = Space({"x": Float(0, 10)})
    study = Shown(FlatAxes(space, "It"), [Known({"x": 1.0}, (5.0,)), Known({"x": 2.0}, None)])
    tokens = [study.propose(seed).token for seed in range(3)]
    assert study.given[1] == [5.0, 5.0, 5.0, 5.0]
    study.settle(tokens[0], (-1.0,), stopped=False)
    study.settle(tokens[1], None, stopped=False)
    study.insert({"x": 7.0})
    study.withdraw(tokens[2])
    points, scores = study.record()
    assert scores == [5.0, 5.0, -1.0, 5.0, -1.0]
    assert points[:2] == [[0.1], [0.2]] and points[4] == [0.7]
    assert study.insert({"y": 7.0}) is None
    assert study.propose(99) is Nothing.EXHAUSTED and len(study.record()[0]) == 5


def test_nothing_is_known_where_no_trial_has_a_score():
    study = Shown(FlatAxes(Space({"x": Float(0, 10)}), "It"), [Known({"x": 2.0}, None)])
    study.propose(1)
    assert study.given == ([[0.2]], [])


def test_a_space_of_one_config_needs_no_library():
    study = Shown(FlatAxes(Space({"x": 3, "y": Integer(2, 2)}), "It"))
    found = [study.propose(seed) for seed in range(3)]
    assert [one.config for one in found] == [{"x": 3, "y": 2}] * 3 and study.given is None
    assert len({one.token for one in found}) == 3
