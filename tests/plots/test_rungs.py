from __future__ import annotations

import math

import pytest

from luthier import tune
from luthier.plots.chronicle import Judgement
from luthier.plots.reading import read_chronicle
from luthier.plots.rungs import landings, rungs
from luthier.tune.schedulers import ASHAPromotionScheduler, ASHAScheduler, HyperBandScheduler
from tests.plots.made import chronicle, curve


def judged(*judgements, **curves):
    found = chronicle([{}] * 4, loss=[1.0] * 4)
    found.curves["loss"] = {int(name[1:]): curve(range(1, len(values) + 1), values) for name, values in curves.items()}
    found.judgements = [Judgement(trial, what, why.pop("step", why["rung"]), why) for trial, what, why in judgements]
    return found


def told(found):
    return sorted((one.bracket, one.rung, one.trial, one.what, one.value) for one in landings(found))


def test_who_was_not_stopped_at_a_rung_went_on():
    found = judged(
        (1, "stopped", {"rung": 2, "bracket": 0, "metric": "loss", "value": 9.0, "cutoff": 3.0}),
        t0=[5.0, 2.0, 1.0], t1=[9.5, 9.0], t2=[4.0], t3=[3.0, 2.5],
    )  # fmt: skip
    assert told(found) == [(0, 2, 0, "went on", 2.0), (0, 2, 1, "stopped", 9.0), (0, 2, 3, "went on", 2.5)]
    figure = rungs(found)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["went on"].y) == [2.0, 2.5] and list(by_name["stopped"].y) == [9.0]
    assert list(by_name["last cutoff"].y) == [3.0, 3.0, None]
    assert list(figure.layout.xaxis.ticktext) == ["2<br>3 → 2"]


def test_what_a_scheduler_that_pauses_tells():
    found = judged(
        (0, "waits", {"rung": 1, "metric": "loss", "value": 5.0}),
        (1, "waits", {"rung": 1, "metric": "loss", "value": 4.0}),
        (1, "went on", {"rung": 1, "metric": "loss", "value": 4.0}),
        (1, "stopped", {"rung": 3, "metric": "loss", "max_t": 3}),
        t0=[5.0], t1=[4.0, 3.0, 2.0], t2=[1.0],
    )  # fmt: skip
    assert told(found) == [
        (0, 1, 0, "waits", 5.0),
        (0, 1, 1, "went on", 4.0),
        (0, 1, 2, "went on", 1.0),
        (0, 3, 1, "came to the end", 2.0),
    ]


def test_of_several_brackets_only_those_are_told_that_are_known():
    found = judged(
        (0, "stopped", {"rung": 4, "bracket": 0, "metric": "loss", "value": 1.0}),
        (1, "stopped", {"rung": 1, "bracket": 0, "metric": "loss", "value": 2.0}),
        (2, "stopped", {"rung": 4, "bracket": 1, "metric": "loss", "value": 3.0}),
        t0=[8.0, 2.0, 1.5, 1.0], t1=[2.0], t2=[1, 1, 1, 3.0], t3=[1, 1, 1, 1, 1],
    )  # fmt: skip
    assert told(found) == [
        (0, 1, 0, "went on", 8.0), (0, 1, 1, "stopped", 2.0), (0, 4, 0, "stopped", 1.0), (1, 4, 2, "stopped", 3.0),
    ]  # fmt: skip
    figure = rungs(found)
    assert figure.layout.xaxis2.title.text.startswith("bracket 1") and figure.layout.yaxis2.matches == "y"


def test_rungs_in_seconds_are_not_looked_up_in_curves():
    found = judged(
        (1, "stopped", {"rung": 60.0, "step": 2, "metric": "loss", "value": 9.0}), t0=[float(k) for k in range(99)]
    )
    assert [one[2] for one in told(found)] == [1]


def test_none():
    assert rungs(judged()).layout.meta["blank"].startswith("No scheduler")


def train(config):
    checkpoint = tune.get_checkpoint()
    start = checkpoint.to_dict()["step"] if checkpoint else 0
    for step in range(start + 1, 10):
        tune.report({"loss": config["x"] + 1 / step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


@pytest.mark.parametrize(
    ("scheduler", "brackets"),
    [
        (ASHAScheduler(max_t=9, grace_period=1, reduction_factor=3), 1),
        (HyperBandScheduler(max_t=9, reduction_factor=3), 3),
        (ASHAPromotionScheduler(max_t=9, grace_period=1, reduction_factor=3), 1),
    ],
    ids=["asha", "hyperband", "promotion"],
)
def test_real_schedulers(scheduler, brackets, tmp_path):
    goal = tune.TuneConfig(metric="loss", mode="min", num_samples=16, scheduler=scheduler, seed=2)
    run = tune.RunConfig(storage_path=tmp_path, name="here", verbose=0, executor="inline")
    tune.Tuner(train, param_space={"x": tune.uniform(0, 1)}, tune_config=goal, run_config=run).fit()
    found = read_chronicle(tmp_path / "here")
    landed = landings(found)
    assert len({one.bracket for one in landed}) == brackets
    assert not any(math.isnan(one.value) for one in landed)
    levels = sorted({one.rung for one in landed if one.bracket == 0})
    first = [one for one in landed if one.bracket == 0 and one.rung == levels[0]]
    if brackets == 1:
        assert len(first) == 16
        on = [one.trial for one in first if one.what == "went on"]
        assert 16 // 3 <= len(on) < 16
        assert sorted(one.trial for one in landed if one.rung == levels[1]) == sorted(on)  # the same come to the next
    for one in landed:
        steps = found.curves["loss"][one.trial]
        assert one.value in steps.values
    assert len({trace.xaxis for trace in rungs(found).data}) == brackets
