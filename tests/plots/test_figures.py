"""What is in figures: values, axes, names, and what is said about what is left out."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from luthier.core.errors import BadArgument, MissingLibrary
from luthier.core.goal import Goal
from luthier.plots import importances, parallel
from luthier.plots.catalogue import FIGURES
from luthier.plots.chronicle import Chronicle
from luthier.plots.contours import contours
from luthier.plots.curves import learning_curves
from luthier.plots.distribution import edf
from luthier.plots.history import optimization_history
from luthier.plots.importances import param_importances
from luthier.plots.parallel import parallel_coordinate
from luthier.plots.pareto import pareto_front
from luthier.plots.ranks import ranks
from luthier.plots.slices import slices
from tests.plots.made import chronicle, curve

NAN, INF = math.nan, math.inf
HOSTILE = '<img src=x onerror="alert(1)">%{y}'


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def numbers(values: Any) -> list[float]:
    return [float(value) for value in values]


def note(figure: Any) -> str:
    return str(figure.layout.meta["note"])


def wide(count: int, **more: Any) -> Chronicle:
    rng = np.random.default_rng(0)
    configs: list[dict[str, Any]] = [
        {"lr": float(10 ** rng.uniform(-4, 0)), "layers": int(rng.integers(1, 5)), "opt": "adam" if k % 3 else "sgd"}
        for k in range(count)
    ]
    return chronicle(configs, loss=[c["lr"] + 0.1 * c["layers"] for c in configs], **more)


# -- optimisation history ----------------------------------------------------------------------------------------------


def test_history_has_a_trace_for_each_status_and_the_best_so_far():
    made = chronicle(
        [{}] * 5, statuses=["done", "failed", "done", "stopped", "running"], loss=[3.0, None, NAN, 1.0, 2.0]
    )
    found = traces(optimization_history(made))
    assert list(found) == ["done", "stopped", "running", "best so far"]
    assert (numbers(found["done"].x), numbers(found["done"].y)) == ([0], [3])
    assert (numbers(found["best so far"].x), numbers(found["best so far"].y)) == ([0, 3, 4], [3, 1, 1])
    assert note(optimization_history(made)) == "smaller is better; 2 trials without a finite value left out"


def test_history_of_what_is_to_grow():
    made = chronicle([{}] * 3, (Goal("acc", "max"),), acc=[0.1, 0.3, 0.2])
    assert numbers(traces(optimization_history(made))["best so far"].y) == [0.1, 0.3, 0.3]
    assert "larger is better" in note(optimization_history(made))
    assert numbers(traces(optimization_history(made, mode="min"))["best so far"].y) == [0.1, 0.1, 0.1]


def test_history_of_many_keeps_every_improvement():
    losses = [1000.0 - k if k % 500 == 7 else 1000.0 for k in range(9000)]
    figure = optimization_history(chronicle([{}] * 9000, loss=losses))
    found = traces(figure)
    assert len(found["done"].x) < 3100 and set(range(7, 9000, 500)) <= set(numbers(found["done"].x))
    assert numbers(found["best so far"].y)[-1] == min(losses)
    assert "of 9 000 trials drawn" in note(figure)


@pytest.mark.parametrize(
    ("losses", "kind", "beyond"),
    [
        ([1e-4, 1e-3, 1e-2, 1e-1], "log", ""),
        ([-1.0, 0, 1, 2], None, ""),
        ([*range(-20, 20), 1e9], None, "1 value beyond"),
    ],
)
def test_the_axis_of_values(losses, kind, beyond):
    figure = optimization_history(chronicle([{}] * len(losses), loss=[float(value) for value in losses]))
    assert figure.layout.yaxis.type == kind
    assert beyond in note(figure)
    if beyond:
        assert figure.layout.yaxis.range[1] < 100


# -- learning curves ---------------------------------------------------------------------------------------------------


def test_few_curves_have_names():
    made = chronicle([{}] * 2, names=["one", "two"], loss=[1.0, 2.0])
    made.curves["loss"] = {0: curve([1, 2], [3, 1]), 1: curve([1, 2, 3], [4, NAN, 2])}
    found = traces(learning_curves(made))
    assert numbers(found["one"].y) == [3, 1]
    assert repr(numbers(found["two"].y)) == "[4.0, nan, 2.0]"


def test_a_curve_that_goes_back_is_broken_there():
    made = chronicle([{}], loss=[1.0])
    made.curves["loss"] = {0: curve([1, 2, 1, 2], [4.0, 3.0, 2.0, 1.0])}
    trace = learning_curves(made).data[0]
    assert numbers(trace.x) == [1, 2, 2, 1, 2] and repr(numbers(trace.y)) == "[4.0, 3.0, nan, 2.0, 1.0]"


def test_many_curves_are_grouped_by_how_good_they_were():
    made = chronicle([{}] * 1000, loss=[float(k) for k in range(1000)])
    made.curves["loss"] = {k: curve(range(1, 301), np.linspace(k + 9, k, 300).tolist()) for k in range(1000)}
    made.curves["loss"][500] = curve([1], [INF])
    figure = learning_curves(made)
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines"}
    assert list(lines) == [
        "no finite value",
        "worst fifth",
        "fourth",
        "third",
        "second",
        "best fifth",
        "best trial",
    ] or (list(lines) == ["worst fifth", "fourth", "third", "second", "best fifth", "best trial"])
    assert numbers(lines["best trial"].y)[-2] == 0.0  # the last one is a gap
    assert sum(len(trace.x) for trace in lines.values()) < 30_000
    assert "of 1 000 trials drawn, the 20 best among them" in note(figure)
    texts = {text for text in lines["best fifth"].text if text}
    assert {f"trial_{k}" for k in range(1, 20)} <= texts
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in dots) == len({t for line in lines.values() for t in line.text if t})


# -- parallel coordinates ----------------------------------------------------------------------------------------------


def test_parallel_axes_are_numbers_logarithms_and_choices():
    configs = [{"lr": 10.0**-k, "opt": "sgd" if k else "<b>"} for k in range(1, 5)]
    configs += [{"lr": 1.0, "opt": "<b>", "net/depth": 3}, {"lr": 0.5, "opt": "sgd", "net/depth": 8}]
    figure = parallel_coordinate(chronicle(configs, loss=[1.0, 2.0, 3.0, 4.0, NAN, 0.5]))
    axes = {axis.label: axis for axis in figure.data[0].dimensions}
    assert set(axes) == {"loss", "lr", "opt", "net/depth"}
    assert numbers(axes["loss"].values) == [0.5, 1, 2, 3, 4]  # the best first: the trial without a loss is left out
    assert numbers(axes["lr"].values) == pytest.approx([math.log10(0.5), -1, -2, -3, -4])
    assert "1e-04" in axes["lr"].ticktext or "0.0001" in axes["lr"].ticktext
    assert list(axes["opt"].ticktext) == ["&lt;b&gt;", "sgd"]
    depth = axes["net/depth"]
    assert depth.ticktext[0] == "absent" and numbers(depth.values)[1:] == [depth.tickvals[0]] * 4
    assert depth.tickvals[0] < 3
    assert numbers(figure.data[0].line.color) == pytest.approx([1, 0.75, 0.5, 0.25, 0])  # the best is drawn on top
    assert "1 trial without a finite value left out" in note(figure)


def test_parallel_axes_are_logarithmic_where_the_space_is():
    configs = [{"lr": value, "rate": value, "none": k} for k, value in enumerate([0.011, 0.05, 0.06, 0.07, 0.09])]
    told = chronicle(configs, loss=[1.0, 2.0, 3.0, 4.0, 5.0])
    told.logarithmic = frozenset({"lr", "none"})
    axes = {axis.label: axis for axis in parallel_coordinate(told).data[0].dimensions}
    assert numbers(axes["lr"].values) == pytest.approx([math.log10(config["lr"]) for config in configs])
    assert numbers(axes["rate"].values) == pytest.approx([config["rate"] for config in configs])
    assert numbers(axes["none"].values) == [0, 1, 2, 3, 4], "0 has no logarithm"


def test_parallel_shows_the_most_telling_parameters():
    rng = np.random.default_rng(0)
    configs = [{f"p{k:02d}": float(rng.random()) for k in range(20)} for _ in range(60)]
    figure = parallel_coordinate(chronicle(configs, loss=[c["p13"] for c in configs]))
    labels = [axis.label for axis in figure.data[0].dimensions]
    assert labels[:2] == ["loss", "p13"] and len(labels) == 1 + parallel.MOST_AXES
    assert "the 11 most telling of 20 parameters" in note(figure)
    chosen = parallel_coordinate(chronicle(configs, loss=[c["p13"] for c in configs]), params=["p05"])
    assert [axis.label for axis in chosen.data[0].dimensions] == ["loss", "p05"]


def test_parallel_with_several_goals():
    goals = (Goal("loss", "min"), Goal("size", "min"))
    made = chronicle([{"x": k} for k in range(3)], goals, loss=[1.0, 2.0, 3.0], size=[3.0, 2.0, 1.0])
    assert [axis.label for axis in parallel_coordinate(made).data[0].dimensions] == ["loss", "size", "x"]
    assert [axis.label for axis in parallel_coordinate(made, "size").data[0].dimensions] == ["size", "loss", "x"]


# -- importance --------------------------------------------------------------------------------------------------------


def test_importances_say_which_is_which():
    figure = param_importances(wide(120))
    found = traces(figure)
    assert list(found) == ["permutation (loss of R²)", "fANOVA (share of variance)"]
    names = list(figure.layout.yaxis.ticktext)
    fanova = dict(zip(names, numbers(found["fANOVA (share of variance)"].x), strict=True))
    assert fanova["lr"] > 0.5 > fanova["layers"] > fanova["opt"] and sum(fanova.values()) <= 1
    assert names[-1] == "lr"  # bars go up from the bottom: the first is on top
    assert "a random forest grown on 120 trials, R² 0." in note(figure) and "interactions" in note(figure)


@pytest.mark.parametrize(("evaluator", "name"), [("fanova", "fANOVA"), ("permutation", "permutation")])
def test_one_importance_alone(evaluator, name, monkeypatch):
    monkeypatch.setattr("luthier.plots.forest.TREES", 8)
    (trace,) = param_importances(wide(40), evaluator=evaluator, params=["lr", "opt"]).data
    assert trace.name.startswith(name) and len(trace.x) == 2


def test_importance_that_is_unknown():
    with pytest.raises(BadArgument, match="evaluator='shap' cannot be used: give one of fanova, permutation, both"):
        param_importances(wide(5), evaluator="shap")


# -- slices, contours, ranks -------------------------------------------------------------------------------------------


def test_slices_have_a_panel_for_each_parameter():
    made = chronicle(
        [{"lr": 10.0**-k, "opt": "ab"[k % 2], **({"depth": k} if k > 2 else {})} for k in range(6)],
        loss=[1.0, 2.0, 3.0, 4.0, 5.0, INF],
    )
    figure = slices(made, params=["lr", "opt", "depth"])
    layout = figure.layout
    assert [layout[f"xaxis{k}"].title.text for k in ("", "2", "3")] == ["lr", "opt", "depth"]
    assert layout.xaxis.type == "log" and list(layout.xaxis2.ticktext) == ["a", "b"] and layout.yaxis2.matches == "y"
    assert numbers(figure.data[0].y) == [1, 2, 3, 4, 5]
    assert numbers(figure.data[2].x) == [3, 4]  # who has no depth is not in its panel
    assert all(abs(x - k % 2) <= 0.25 for k, x in enumerate(numbers(figure.data[1].x)))
    assert (figure.data[2].xaxis, figure.data[2].yaxis) == ("x3", "y3")
    assert layout.grid.rows * layout.grid.columns >= 3
    assert "1 trial without a finite value left out" in note(figure)


def test_slices_of_many_are_thinned_and_keep_the_best():
    made = wide(5000)
    best = min(made.values("loss"))
    for trace in slices(made).data:
        assert len(trace.x) <= 801 and best in numbers(trace.y)


def test_ranks_are_between_best_and_worst():
    made = chronicle([{"a": k, "b": -k} for k in range(4)], (Goal("acc", "max"),), acc=[0.1, 1e9, 0.3, NAN])
    (trace,) = ranks(made).data
    shown = dict(zip(numbers(trace.x), numbers(trace.marker.color), strict=True))
    assert shown == {0.0: 1.0, 1.0: 0.0, 2.0: 0.5}
    assert len(ranks(wide(50), params=["lr", "layers", "opt"]).data) == 3


def test_contours_smooth_where_trials_are():
    rng = np.random.default_rng(1)
    configs = [{"x": float(x), "y": float(y)} for x, y in rng.random((300, 2))]
    figure = contours(chronicle(configs, loss=[c["x"] * 10 for c in configs]))
    kinds = [trace.type for trace in figure.data]
    assert kinds == ["contour", "scatter"]
    names = figure.layout.xaxis.title.text, figure.layout.yaxis.title.text
    z = figure.data[0].z if names[0] == "x" else figure.data[0].z.T
    assert float(np.nanmean(z[:, 2])) < 2 and float(np.nanmean(z[:, -3])) > 8


def test_contours_of_choices_are_tiles_that_do_not_mix():
    configs = [{"opt": "ab"[k % 2], "x": k / 40} for k in range(40)]
    figure = contours(chronicle(configs, loss=[float(c["opt"] == "a") for c in configs]), params=["opt", "x"])
    tiles = figure.data[0]
    assert tiles.type == "heatmap" and numbers(tiles.x) == [0, 1]
    assert np.nanmin(tiles.z[:, 0]) == pytest.approx(1) and np.nanmax(tiles.z[:, 1]) == pytest.approx(0)


def test_contours_of_losses_over_decades_tell_values():
    configs = [{"x": k / 50, "y": (k * 7 % 50) / 50} for k in range(50)]
    figure = contours(chronicle(configs, loss=[10.0 ** (4 * c["x"] - 4) for c in configs]), params=["x", "y"])
    told = np.asarray(figure.data[0].customdata, dtype=float)
    assert np.nanmax(told) < 2 and np.nanmin(told) > 5e-5
    assert float(figure.layout.coloraxis.colorbar.ticktext[0]) == pytest.approx(1e-4, rel=0.1)


# -- distribution, Pareto front ----------------------------------------------------------------------------------------


def test_edf_counts_equals_together():
    figure = edf(chronicle([{}] * 6, loss=[2.0, 1.0, 2.0, NAN, 4.0, None]))
    assert list(zip(numbers(figure.data[0].x), numbers(figure.data[0].y), strict=True)) == [
        (1, 0.25),
        (2, 0.75),
        (4, 1),
    ]
    assert "half of the trials have loss ≤ 2" in note(figure) and "2 trials without" in note(figure)


def test_edf_of_many_ends_at_one():
    trace = edf(chronicle([{}] * 5000, loss=[float(k) for k in range(5000)])).data[0]
    assert len(trace.x) <= 1000 and (float(trace.x[-1]), float(trace.y[-1])) == (4999, 1)


def test_the_front_by_directions_that_differ():
    goals = (Goal("acc", "max"), Goal("size", "min"))
    made = chronicle([{}] * 5, goals, acc=[0.9, 0.8, 0.7, NAN, 0.5], size=[9.0, 5.0, 6.0, 1.0, 1.0])
    found = traces(pareto_front(made))
    assert sorted(numbers(found["Pareto front"].x)) == [0.5, 0.8, 0.9] and numbers(found["other trials"].x) == [0.7]
    said = note(pareto_front(made))
    assert "acc: larger is better, size: smaller is better" in said and "3 trials on the front" in said
    assert "1 trial without all of them left out" in said
    assert numbers(traces(pareto_front(made, ["acc", "size"], ["min", "min"]))["Pareto front"].x) == [0.5]


def test_three_goals_have_a_panel_for_each_pair():
    made = chronicle([{}] * 2, a=[1.0, 2.0], b=[2.0, 1.0], c=[1.0, 1.0])
    figure = pareto_front(made, ["a", "b", "c"])
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"} and figure.layout.xaxis3.title.text == "b"


def test_a_front_of_one_metric_is_none():
    with pytest.raises(BadArgument, match="metrics=\\['a'\\] cannot be used: give two metrics or more"):
        pareto_front(chronicle([{}], a=[1.0]), ["a"])
    with pytest.raises(BadArgument, match="one for each of 2 metrics"):
        pareto_front(chronicle([{}], a=[1.0], b=[1.0]), ["a", "b"], ["min"])


# -- all of them -------------------------------------------------------------------------------------------------------

EDGES = {
    "no trials": Chronicle(goals=(Goal("loss", "min"),)),
    "nothing at all": Chronicle(),
    "no results": chronicle([{"x": 1}, {"x": 2}], loss=[None, None]),
    "one trial": chronicle([{"x": 1, "y": "a"}], loss=[1.0]),
    "nothing finite": chronicle([{"x": k, "y": k} for k in range(5)], loss=[NAN, INF, -INF, NAN, None]),
    "all the same": chronicle([{"x": 1, "y": 2}] * 6, loss=[1.0] * 6),
    "no parameters": chronicle([{}] * 6, loss=[float(k) for k in range(6)]),
    "endless parameters": chronicle(
        [{"x": INF, "y": NAN}, {"x": 10**400, "y": 1}, {"x": 1, "y": 2}], loss=[1.0, 2.0, 3.0]
    ),
    "all kinds": chronicle(
        [{"f": len, "l": [1, (2,)], "n": None, "b": bool(k % 2), "s": HOSTILE, HOSTILE: k, "d": {}} for k in range(8)],
        names=[HOSTILE] * 8,
        loss=[float(k * k) for k in range(8)],
    ),
    "lone surrogates": chronicle(
        [{"\ud800": "\ud800", "b": k} for k in range(5)], names=["\ud800"] * 5, loss=[1.0] * 5
    ),
    "no goal": chronicle([{"x": k, "z": k % 3} for k in range(9)], (), loss=[float(k) for k in range(9)]),
    "both ends": chronicle(
        [{"x": s * 1.7e308, "z": k} for k, s in enumerate([1, -1, 0, 1, -1])], loss=[1.7e308, -1.7e308, 0.0, 1.0, 2.0]
    ),
    "huge": chronicle(
        [{"x": 10.0**k, "z": k} for k in range(-300, 300, 60)], loss=[10.0**k for k in range(-300, 300, 60)]
    ),
}


@pytest.mark.parametrize("name", list(FIGURES))
@pytest.mark.parametrize("edge", list(EDGES))
def test_every_figure_bears_everything(name, edge, monkeypatch):
    monkeypatch.setattr("luthier.plots.forest.TREES", 4)
    figure = FIGURES[name].draw(EDGES[edge])
    text = figure.to_json()
    assert "<img" not in text.replace("\\u003c", "<")
    assert figure.layout.meta["title"]
    if edge in {"no trials", "nothing at all", "no results", "nothing finite"} and FIGURES[name].measured:
        if name != "learning_curves":
            assert figure.layout.meta["blank"] and figure.layout.annotations[0].text.startswith(
                ("No trial", "It takes")
            )
        assert not any(len(trace.x) for trace in figure.data if hasattr(trace, "x") and edge != "nothing finite")


@pytest.mark.parametrize("name", [name for name, entry in FIGURES.items() if entry.measured])
def test_a_metric_that_nobody_reported(name):
    with pytest.raises(BadArgument, match="metric='losss' cannot be used: give one of loss"):
        FIGURES[name].draw(wide(5), "losss")


@pytest.mark.parametrize("name", ["slice", "contour", "rank", "parallel_coordinate", "param_importances"])
def test_a_parameter_that_is_none(name):
    with pytest.raises(BadArgument, match="params='rl' cannot be used: give some of lr, layers, opt"):
        FIGURES[name].draw(wide(9), params=["lr", "rl"])


def test_hostile_names_are_shown_as_they_are():
    made = chronicle([{HOSTILE: k} for k in range(4)], names=[HOSTILE] * 4, loss=[1.0, 2.0, 3.0, 4.0])
    figure = slices(made)
    assert figure.layout.xaxis.title.text.startswith("&lt;img ") and "<" not in figure.data[0].text[0].replace(
        "<br>", ""
    )
    assert "%{y}" not in figure.data[0].text[0]
    assert figure.layout.meta["title"] == "loss by each parameter"


@pytest.mark.parametrize("name", list(FIGURES))
def test_without_plotly(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingLibrary, match=r"A figure needs plotly: pip install 'luthier\[plot\]'"):
        FIGURES[name].draw(wide(5))


def test_the_fewest_trials_that_importance_takes():
    assert "blank" in param_importances(wide(importances.FEWEST - 1)).layout.meta
