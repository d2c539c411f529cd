"""Reading experiments back: large ones in one pass, running ones as far as they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier import tune
from luthier.callbacks.files import result_files
from luthier.core import events as ev
from luthier.core.errors import BadArgument, NotAnExperiment
from luthier.core.goal import Goal
from luthier.core.terms import Status
from luthier.store.jsonl import JsonlStore
from luthier.tune.history import SCOPES, History
from luthier.tune.past import Past
from luthier.tune.result import Result
from luthier.tune.result_grid import ResultGrid
from tests.callbacks.story import Story

reports = st.lists(
    st.builds(
        lambda trial, metrics: ev.Reported(trial, 1, 0, metrics),
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from(["loss", "acc"]), st.sampled_from([0, 1, 2.5, -3.0, math.nan, math.inf, "x"])),
    ),
    max_size=12,
)


@given(reports, st.sampled_from(["min", "max"]), st.sampled_from(SCOPES), st.booleans(), st.booleans())
def test_figures_of_all_trials_in_one_pass_are_those_of_each(log, mode, scope, only_finite, loaded):
    history, goal = History(lambda: log), Goal("loss", mode)
    if loaded:
        history.results("a")
    found, best = history.values(goal, scope, only_finite=only_finite), history.best(goal)
    for trial in "abc":
        own = [r.metrics for r in log if r.trial == trial]
        values = [float(m["loss"]) for m in own if isinstance(m.get("loss"), int | float)]
        if scope == "all" and only_finite:
            values = [v for v in values if math.isfinite(v)]
        scores = [score for m in own if (score := goal.score(m)) is not None]
        assert (trial in best) == bool(scores)
        if scores:
            assert goal.score(best[trial].metrics) == min(scores)
        few = {"last": 1, "last-5-avg": 5, "last-10-avg": 10}.get(scope, len(values))
        told = values[-few:]
        if not told:
            assert trial not in found
            continue
        expected = (min(told) if mode == "min" else max(told)) if scope == "all" else sum(told) / len(told)
        if only_finite and not math.isfinite(expected):
            assert trial not in found
        else:
            assert found[trial] == expected or math.isnan(expected)


def grown(directory, trials=5, steps=4) -> Story:
    story = Story(directory, *result_files(directory))
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(trials):
        trial = story.start(number)
        for step in range(steps):
            story.report(trial, loss=abs(step - number) + 0.5, note={"step": step})
        if number % 2:
            story.end(trial)
    story.close()
    story.save()
    return story


@pytest.fixture
def counted(monkeypatch):
    """Count how often a log is read from its beginning."""
    passes: list[int] = []
    read = JsonlStore.read

    def counting(self, after=0):
        passes.append(after)
        return read(self, after)

    monkeypatch.setattr(JsonlStore, "read", counting)
    return passes


def test_a_table_of_bests_reads_the_log_once(tmp_path, counted):
    past = Past(grown(tmp_path / "quick").directory)
    grid = ResultGrid(past.directory, past.experiment, past.history)
    counted.clear()
    assert list(grid.get_dataframe().loss) == [3.5, 2.5, 1.5, 0.5, 1.5]
    assert counted == []
    table = grid.get_dataframe(filter_metric="loss", filter_mode="min")
    assert counted == [0]
    assert list(table.loss) == [0.5, 0.5, 0.5, 0.5, 1.5]
    assert list(table["note/step"]) == [0, 1, 2, 3, 3]
    assert grid.get_best_result(scope="avg").config == past.experiment.trials["x_00001"].config
    assert counted == [0, 0]
    grid.get_best_result()
    assert counted == [0, 0]  # the last results are known


def test_all_results_of_each_trial_read_the_log_once(tmp_path, counted):
    analysis = tune.ExperimentAnalysis(grown(tmp_path / "quick").directory)
    counted.clear()
    assert [len(frame) for frame in analysis.trial_dataframes.values()] == [4] * 5
    assert len(analysis.best_dataframe) == 4
    assert counted == [0]


def test_trials_asked_for_one_by_one_read_the_log_once(tmp_path, counted):
    story = grown(tmp_path / "quick")
    results = [Result.from_path(story.folder(trial)) for trial in story.state.trials]
    assert [r.metrics["loss"] for r in results] == [3.5, 2.5, 1.5, 0.5, 1.5]
    assert counted == [0]
    with pytest.raises(tune.TuneError, match="is not the directory of a trial"):
        Result.from_path(story.directory / "events")
    with pytest.raises(NotAnExperiment):
        Result.from_path(tmp_path / "nothing" / "here")


def test_a_running_experiment_is_read_as_far_as_it_is(tmp_path):
    story = grown(tmp_path / "quick")
    trial = next(iter(story.state.trials))
    early = Result.from_path(story.folder(trial))
    with JsonlStore(story.directory) as store:
        end = sum(len(record.events) for record in store.read())
        past = Past(story.directory)
        end = store.append([ev.Reported(trial, 1, 4, {"loss": 0.25})], end)
        segment = max((story.directory / "events").iterdir())
        with segment.open("ab") as file:
            file.write(b'{"v":1,"first":')  # the next batch, half written
        assert past.experiment.trials[trial].metrics["loss"] == 0.25
        assert past.experiment.trials[trial].status is Status.RUNNING
        assert Past(story.directory).history.results(trial)[-1] == {"loss": 0.25}
        later = Result.from_path(story.folder(trial))
        assert (early.metrics["loss"], later.metrics["loss"]) == (3.5, 0.25)
        assert tune.ExperimentAnalysis(story.directory).get_best_trial().trial_id == trial
        segment.write_bytes(segment.read_bytes().removesuffix(b'{"v":1,"first":'))


def test_an_unknown_scope_is_refused(tmp_path):
    analysis = tune.ExperimentAnalysis(grown(tmp_path / "quick").directory)
    with pytest.raises(BadArgument, match="scope"):
        analysis.get_best_trial(scope="median")


def test_an_experiment_that_goes_on_reads_the_log_once(tmp_path, counted):
    def train(config):
        for i in range(3):
            tune.report({"loss": config["x"] / (i + 1)})

    run_config = tune.RunConfig(storage_path=str(tmp_path), name="quick", verbose=0, executor="inline")
    tune.Tuner(train, param_space={"x": tune.grid_search([1, 2])}, run_config=run_config).fit()
    damaged, whole = sorted(tmp_path.glob("quick/*/result.json"))
    before = damaged.read_text()
    counted.clear()
    tuner = tune.Tuner.restore(tmp_path / "quick", train)
    assert counted == []
    assert len(tuner.fit()) == 2
    assert counted == [0]
    damaged.write_text(before[:-5])
    kept = whole.stat().st_mtime_ns
    tune.Tuner.restore(tmp_path / "quick", train).fit()
    assert counted == [0, 0, 0]  # once more, to make a trial's files anew
    assert damaged.read_text() == before
    assert whole.stat().st_mtime_ns == kept
