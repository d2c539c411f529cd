"""The comparison of the searches: that it runs, keeps what is done, and judges as it says."""

from __future__ import annotations

import json
import math
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.quality import __main__ as quality
from benchmarks.quality.cells import Cell, cells, done, kept, runs
from benchmarks.quality.contenders import AUTO, CONTENDERS, NGOPT, OPTUNA, RANDOM, TPE, USUAL
from benchmarks.quality.functions import at
from benchmarks.quality.tasks import TASKS
from benchmarks.quality.verdict import ranks, regrets, targets
from luthier.core.rng import rng_at
from luthier.core.space import Space

NINE = [name for name, task in TASKS.items() if not task.held_out]
HERE = [name for name, contender in CONTENDERS.items() if contender.installed]
LEASTS = {
    "Branin": [math.pi, 2.275],
    "Hartmann6": [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573],
    "Ackley5": [-5.3] * 5,
    "Rosenbrock5": [1.0] * 5,
    "Levy10": [-0.7] * 10,
    "Shekel4": [4.00074687, 3.99950949] * 2,
    "Dixon-Price6": [2 ** (2**-i - 1) for i in range(6)],
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """With small matrices, and others on the machine, two threads wait for each other ten times as long."""
    import scipy.linalg  # noqa: F401 (what is not loaded yet is not limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def test_the_comparison_is_made_told_and_drawn(tmp_path, capsys):
    keep, picture, page = tmp_path / "runs.jsonl", tmp_path / "picture.svg", tmp_path / "page.md"
    page.write_text("before <!-- figures --> old <!-- end of figures --> after")
    flags = ["--quick", "--seeds", "1", "--evaluations", "8", "--processes", "1"]
    quality.main([*flags, "--keep", str(keep), "--picture", str(picture), "--page", str(page)])
    here = [name for name in USUAL if name in HERE]
    said = capsys.readouterr().out
    assert all(f"| {name} " in said for name in here) and all(f"| {name} " in said for name in TASKS)
    assert "tpe no worse than random, of 9 tasks, by medians: " in said
    assert "old" not in page.read_text() and said.splitlines()[0] in page.read_text()
    lines = ET.parse(picture).getroot().findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(TASKS) * len(here)
    count = len(keep.read_text().splitlines())
    assert count == len(TASKS) * len(here)
    with keep.open("a") as file:
        file.write('{"task": "Bra')  # ended while it wrote
    quality.main([*flags, "--keep", str(keep)])
    assert len(keep.read_text().splitlines()) == count + 1
    again = capsys.readouterr()
    assert f"{count} runs are there, 0 are to be done" in again.err
    assert again.out == said


def test_what_depends_on_changed_sources_is_done_again(tmp_path):
    keep = tmp_path / "runs.jsonl"
    one = cells(["Branin"], [RANDOM], 1, 3)
    found = runs(one, keep, 1, print)
    assert list(kept(keep)) == found
    changed = [one[0]._replace(version="another")]
    assert runs(changed, keep, 1, print)[0].better == found[0].better
    assert len(keep.read_text().splitlines()) == 2


def test_two_processes_find_what_one_does(tmp_path):
    wanted = cells(["Branin"], [RANDOM, TPE], 1, 12)
    one, two = runs(wanted, None, 1, print), runs(wanted, tmp_path / "runs.jsonl", 2, print)
    assert [run.better for run in one] == [run.better for run in two]


def itself(config: Any) -> Any:
    """Return what it is given."""
    return config


@pytest.mark.parametrize("name", sorted(LEASTS))
def test_the_least_is_where_it_is_said_to_be(name):
    task, place = TASKS[name], {f"x{i}": v for i, v in enumerate(LEASTS[name])}
    assert place in Space(task.space) and at(place) == LEASTS[name]
    assert task.loss(place) == pytest.approx(0, abs=1e-6)
    draws = [task.loss(Space(task.space).sample(rng_at(3, n))) for n in range(300)]
    assert min(draws) > 0.01
    for seed in range(20):  # wherever it is moved to, it stays inside
        told: Any = task._replace(loss=itself).moved(seed).loss(place)
        there = {axis: 2 * value - told[axis] for axis, value in place.items()}
        assert there != place and there in Space(task.space)
        assert task.moved(seed).loss(there) == pytest.approx(0, abs=1e-6)


def test_functions_with_choices_have_their_least_at_0():
    net = {"kind": "net", "lr": 10**-2.6, "width": 91, "layers": 3, "act": "relu"}
    best = {"share": 0.85, "scaling": "standard", "model": net}
    assert best in Space(TASKS["Models"].space) and TASKS["Models"].loss(best) == pytest.approx(0)
    sgd = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    best = {"batch": 64, "epochs": 40, "smoothing": 0.1, "optimiser": sgd, "schedule": "cosine"}
    assert best in Space(TASKS["Training"].space) and TASKS["Training"].loss(best) == pytest.approx(0)
    for name in ("Models", "Training"):
        assert min(TASKS[name].loss(Space(TASKS[name].space).sample(rng_at(3, n))) for n in range(300)) > 0


@pytest.mark.parametrize("who", HERE)
@pytest.mark.parametrize("name", ["Branin", "Models", "SVM", "Boosted trees", "Network", "Training"])
def test_everybody_stays_in_the_space(who, name):
    task, seen = TASKS[name], []
    space = Space(task.space)

    def loss(config):
        seen.append(config)
        assert config in space, config
        return float(len(seen) % 5)

    CONTENDERS[who].search(task._replace(loss=loss), 12, 1)
    assert len(seen) == 12 and len({repr(config) for config in seen}) > 6


def test_a_task_that_is_real_learns():
    for name in ("SVM", "Boosted trees", "Network"):
        values = [TASKS[name].loss(Space(TASKS[name].space).sample(rng_at(3, n))) for n in range(8)]
        assert all(math.isfinite(value) for value in values) and max(values) > 1.05 * min(values)
        config = Space(TASKS[name].space).sample(rng_at(3, 0))
        assert TASKS[name].loss(config) == values[0]


def test_three_tasks_are_held_out_and_nine_are_not():
    assert len(NINE) == 9 and len(TASKS) == 12
    assert {TASKS[name].kind for name in NINE} == {"continuous", "mixed", "real"}


def made(values):
    """Regrets of two on all nine tasks, and random search's."""
    return {name: {AUTO: [1.0] * 4, **{who: list(v) for who, v in values.items()}} for name in NINE}


def test_targets_count_tasks():
    found = made(
        {TPE: [1.0, 2, 3, 4], OPTUNA: [1.1] * 4, "HyperOpt TPE": [9.0] * 4, NGOPT: [2.0] * 4, RANDOM: [8.0] * 4}
    )
    said = {row.what: (row.found, row.met) for row in targets(found)}
    assert said["tpe no worse than the better of both TPEs, of 9 tasks, by medians"] == (0, False)
    assert said["tpe no worse than the better of both TPEs, of 9 tasks, by test"] == (9, True)
    assert said["tpe no worse than random, of 9 tasks, by medians"] == (9, True)
    assert said["auto no worse than NGOpt, of 5 tasks, by medians"] == (5, True)
    assert said["auto no worse than the best of all, of 4 tasks, by medians"] == (4, True)
    found["Branin"][AUTO] = [3.0] * 4
    said = {row.what: (row.found, row.met) for row in targets(found)}
    assert said["auto no worse than NGOpt, of 5 tasks, by medians"] == (4, False)
    assert said["auto no worse than NGOpt, of 5 tasks, by test"] == (4, False)
    del found["Branin"][NGOPT]
    assert not any("NGOpt" in row.what or ("best of all" in row.what and row.least == 5) for row in targets(found))


def test_differences_far_below_random_search_are_none():
    found = made({NGOPT: [1e-9] * 4, RANDOM: [50.0] * 4})
    for name in NINE:
        found[name][AUTO] = [1e-5] * 4
    assert all(row.met for row in targets(found) if "NGOpt" in row.what)
    for name in NINE:
        found[name][AUTO] = [1e-2] * 4
    assert not any(row.met for row in targets(found) if "NGOpt" in row.what)


def test_ranks_say_how_sure_they_are():
    found = {name: {"one": [1.0, 1, 1, 1], "two": [0.5, 1.5, 2.5, 3.5], "three": [9.0] * 4} for name in NINE}
    one, two, three = ranks(found, [TASKS[name] for name in NINE])
    assert (one.name, two.name, three.name) == ("one", "two", "three")
    assert (one.mean, three.mean) == pytest.approx((1, 3)) and (three.low, three.high) == pytest.approx((3, 3))
    assert 1 <= one.low < one.high < 2 and two.low < 2


def test_regret_is_above_the_least_that_anybody_found():
    def run(task, loss):
        cell = Cell(task, "random", 0, 4, "")
        return done(cell)._replace(better=[(1, loss + 1), (3, loss)])

    found = regrets([run("SVM", 0.5), run("SVM", 0.25), run("Branin", 0.125)])
    assert found == {"SVM": {"random": [0.25, 0.0]}, "Branin": {"random": [0.125]}}
    assert run("SVM", 0.5).at(2) == 1.5 and run("SVM", 0.5).at(4) == 0.5


@pytest.mark.parametrize(("flag", "said"), [("--tasks=Brain", "'Brain'"), ("--contenders=ransom", "'ransom'")])
def test_an_unknown_name_is_refused(flag, said, capsys):
    with pytest.raises(SystemExit):
        quality.main([flag])
    assert said in capsys.readouterr().err


def test_the_runs_are_json(tmp_path):
    keep = tmp_path / "runs.jsonl"
    runs(cells(["Models"], [RANDOM], 1, 4), keep, 1, print)
    line = json.loads(keep.read_text())
    assert (line["task"], line["contender"], line["evaluations"]) == ("Models", RANDOM, 4) and line["cpu_s"] >= 0
