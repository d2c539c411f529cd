"""Population based training from end to end: local processes, real checkpoints, real files."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luthier import tune
from luthier.core.errors import BadArgument, PolicyError
from luthier.core.lineage import Lineage
from luthier.tune.past import events_of
from luthier.tune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay, create_scheduler
from tests.tune.restoring import cut, length

TIME = "training_iteration"


class Walk(tune.Trainable):
    """Goes down the slope of x squared, and remembers with which rates."""

    def setup(self, config):
        self.x, self.rates = 5.0, []

    def step(self):
        self.x -= self.config["lr"] * 2 * self.x
        self.rates.append(self.config["lr"])
        return {"loss": self.x**2, "steps": len(self.rates), "rates": list(self.rates)}

    def save_checkpoint(self, checkpoint_dir):
        return {"x": self.x, "rates": self.rates}

    def load_checkpoint(self, checkpoint):
        self.x, self.rates = checkpoint["x"], list(checkpoint["rates"])


class ReusedWalk(Walk):
    def reset_config(self, new_config):
        self.config = new_config
        self.x, self.rates = 5.0, []
        return True


def walk(config, every=1):
    state: dict[str, Any] = {"x": 5.0, "rates": []}
    if (checkpoint := tune.get_checkpoint()) is not None:
        state = checkpoint.to_dict()
    while True:
        state["x"] -= config["lr"] * 2 * state["x"]
        state["rates"] = [*state["rates"], config["lr"]]
        saved = tune.Checkpoint.from_dict(state) if every and len(state["rates"]) % every == 0 else None
        metrics = {"loss": state["x"] ** 2, "steps": len(state["rates"]), "rates": list(state["rates"])}
        tune.report(metrics, checkpoint=saved)


def pbt(**arguments):
    given = {
        "time_attr": TIME, "perturbation_interval": 3, "hyperparam_mutations": {"lr": tune.loguniform(1e-4, 1e-1)},
    }  # fmt: skip
    return PopulationBasedTraining(**{**given, **arguments})


def fitted(tmp_path, trainable, scheduler, num_samples=6, name="e", space=None, steps=12, tune_with=None, **run):
    run_config = {"storage_path": tmp_path, "name": name, "verbose": 0, "stop": {TIME: steps}, **run}
    config = {"metric": "loss", "mode": "min", "num_samples": num_samples, "seed": 2, "scheduler": scheduler}
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.loguniform(1e-4, 1e-1)} if space is None else space,
        tune_config=tune.TuneConfig(**config, **(tune_with or {})),
        run_config=tune.RunConfig(**run_config),
    ).fit()


def policy(results, trial):
    return Path(results.experiment_path, f"pbt_policy_{trial}.txt")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def check(results, steps=12):
    """See that each trial's state is what its schedule makes of it: checkpoints were of the right trial and time."""
    assert results.num_errors == 0
    handed = 0
    for result in results:
        metrics = result.metrics
        assert metrics[TIME] == metrics["steps"] == steps
        x = 5.0
        for rate in metrics["rates"]:
            x -= rate * 2 * x
        assert metrics["loss"] == x**2
        lines = lines_of(policy(results, metrics["trial_id"]))
        handed += bool(lines)
        configs = tune_schedule(lines)
        for at, rate in enumerate(metrics["rates"]):
            wanted = [config["lr"] for since, config in configs if since <= at]
            assert not configs or rate == wanted[-1], f"{metrics['trial_id']} at {at}"
    return handed


def tune_schedule(lines):
    """Return the schedule of a policy file: ``(from which iteration, config)``."""
    followed, first, schedule = None, None, list[Any]()
    for target, source, _, at, old, new in reversed(lines):
        if followed is not None and target != followed:
            break
        schedule.insert(0, (at, new))
        followed, first = source, old
    return [(0, first), *schedule] if schedule else []


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize(
    ("trainable", "run"),
    [
        (Walk, {}),
        (walk, {}),
        (Walk, {"executor": "inline"}),
        (Walk, {"checkpoint_config": tune.CheckpointConfig(num_to_keep=1)}),
        (Walk, {"checkpoint_config": tune.CheckpointConfig(num_to_keep=1, checkpoint_frequency=2)}),
        (walk, {"checkpoint_config": tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="loss")}),
    ],
)
def test_each_goes_on_from_the_checkpoint_it_took(tmp_path, trainable, run, synch):
    results = fitted(tmp_path, trainable, pbt(synch=synch), **run)
    assert check(results) >= 2
    assert lines_of(Path(results.experiment_path, "pbt_global.txt"))


def test_processes_that_are_reused(tmp_path):
    results = fitted(tmp_path, ReusedWalk, pbt(), tune_with={"reuse_actors": True})
    assert check(results) >= 2


def test_a_class_saves_itself_whenever_it_is_looked_at(tmp_path):
    results = fitted(tmp_path, Walk, pbt(quantile_fraction=0.0), num_samples=1, executor="inline")
    rows = results[0].metrics_dataframe
    assert list(rows[rows["should_checkpoint"] == True][TIME]) == [3, 6, 9, 12]  # noqa: E712 (a column of objects)


def test_a_function_that_saves_now_and_then_goes_on_from_there(tmp_path):
    results = fitted(tmp_path, tune.with_parameters(walk, every=2), pbt(quantile_fraction=0.5), num_samples=4)
    assert check(results) >= 2


def test_without_checkpoints_nothing_changes_and_it_is_said_once(tmp_path, caplog):
    results = fitted(tmp_path, tune.with_parameters(walk, every=0), pbt(), executor="inline")
    assert not Path(results.experiment_path, "pbt_global.txt").exists()
    assert all(len(set(result.metrics["rates"])) == 1 and result.metrics["steps"] == 12 for result in results)
    said = [r.getMessage() for r in caplog.records if "without saving a checkpoint" in r.getMessage()]
    assert len(said) == 1 and "no other trial can go on from it" in said[0]


def test_no_files_where_none_are_wanted(tmp_path):
    results = fitted(tmp_path, Walk, pbt(log_config=False), executor="inline")
    assert not list(Path(results.experiment_path).glob("pbt_*"))
    assert Lineage(events_of(results.experiment_path)).handovers


def test_inherits_metric_and_mode_and_is_found_by_name(tmp_path):
    mutations = {"lr": [0.01, 0.02]}
    made = create_scheduler("pbt", metric="loss", mode="min", hyperparam_mutations=mutations)
    assert type(made) is PopulationBasedTraining and made.perturbation_interval == 60.0
    with pytest.raises(BadArgument, match=r"metric='loss'.*TuneConfig says 'loss', 'min' already"):
        fitted(tmp_path, Walk, made)


def test_rays_defaults():
    made = PopulationBasedTraining(hyperparam_mutations={"a": [1]})
    names = [
        "time_attr", "metric", "mode", "perturbation_interval", "burn_in_period", "quantile_fraction",
        "resample_probability", "perturbation_factors", "custom_explore_fn", "log_config", "require_attrs", "synch",
    ]  # fmt: skip
    assert [getattr(made, name) for name in names] == [
        "time_total_s", None, None, 60.0, 0.0, 0.25, 0.25, (1.2, 0.8), None, True, True, False,
    ]  # fmt: skip


# -- the same seed, a restart ----------------------------------------------------------------------------------------
def decisions(results):
    trials = [t.rpartition("_")[2] for t in Lineage(events_of(results.experiment_path)).trials]
    assert trials == sorted(trials)
    found = Lineage(events_of(results.experiment_path)).handovers
    return [(h.target[-5:], h.source[-5:], h.source_iteration, h.config) for h in found]


def test_the_same_seed_gives_the_same_population_even_with_functions_of_chance(tmp_path):
    def custom(config):
        config["noise"] = random.random() + np.random.random()  # noqa: NPY002 (as users write it)
        return config

    def make():
        mutations = {"lr": lambda: random.uniform(1e-3, 1e-1), "extra": {"deep": lambda: np.random.randint(100)}}  # noqa: NPY002
        return pbt(hyperparam_mutations=mutations, custom_explore_fn=custom, resample_probability=0.5)

    before = random.getstate()[1][:5]
    one = fitted(tmp_path, Walk, make(), name="one", executor="inline", space={})
    two = fitted(tmp_path, Walk, make(), name="two", executor="inline", space={})
    assert decisions(one) == decisions(two) != []
    assert len({config["noise"] for *_, config in decisions(one)}) == len(decisions(one))
    assert random.getstate()[1][:5] == before


@pytest.mark.parametrize("synch", [False, True])
def test_killed_anywhere_it_goes_on_and_no_line_is_lost_or_doubled(tmp_path, synch):
    whole = fitted(tmp_path, Walk, pbt(synch=synch), name="whole", executor="inline")
    check(whole)
    records = length(whole.experiment_path)
    for at in random.Random(3).sample(range(records), 7):
        path = cut(whole.experiment_path, tmp_path / str(at), at)
        before = Lineage(events_of(str(path))).handovers
        with (path / "pbt_global.txt").open("a") as file:
            file.write("[half a li")
        results = tune.Tuner.restore(str(path), Walk).fit()
        check(results)
        after = Lineage(events_of(str(path))).handovers
        assert after[: len(before)] == before
        lines = lines_of(path / "pbt_global.txt")
        assert [(at, config) for _, _, _, at, _, config in lines] == [(h.source_iteration, h.config) for h in after]


# -- what is missing is drawn ----------------------------------------------------------------------------------------
def test_what_the_space_lacks_is_drawn_from_the_mutations(tmp_path):
    mutations = {"lr": [0.01, 0.02], "net": {"width": [8, 16], "depth": tune.randint(1, 4)}, "f": lambda: 7}
    space = {"net": {"depth": 9}}
    results = fitted(tmp_path, Walk, pbt(hyperparam_mutations=mutations), space=space, executor="inline")
    firsts = [life.config for life in Lineage(events_of(results.experiment_path)).lives if life.parent is None]
    assert len(firsts) == 6
    for config in firsts:
        assert config["lr"] in (0.01, 0.02) and config["net"]["width"] in (8, 16) and config["f"] == 7
        assert config["net"]["depth"] == 9
    assert len({config["lr"] for config in firsts}) == 2


def test_a_name_that_looks_like_another_is_pointed_out(tmp_path, caplog):
    made = pbt(hyperparam_mutations={"learning_rat": [0.01]})
    fitted(tmp_path, Walk, made, space={"lr": 0.1, "learning_rate": 0.1}, executor="inline", num_samples=1)
    (said,) = {r.getMessage() for r in caplog.records if "learning_rat'" in r.getMessage()}
    assert "which param_space lacks (it has 'learning_rate')" in said


# -- what is refused, before any trial -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"hyperparam_mutations": {}}, "hyperparam_mutations={}"),
        ({"hyperparam_mutations": None}, "hyperparam_mutations={}"),
        ({"hyperparam_mutations": [1]}, r"hyperparam_mutations=\[1\]"),
        ({"hyperparam_mutations": {"a": 3}}, r"hyperparam_mutations\['a'\]=3"),
        ({"hyperparam_mutations": {"a": "xyz"}}, r"hyperparam_mutations\['a'\]='xyz'"),
        ({"hyperparam_mutations": {"a": {"b": []}}}, r"hyperparam_mutations\['a'\]\['b'\]=\[\]"),
        ({"hyperparam_mutations": {3: [1]}}, r"hyperparam_mutations\[3\]"),
        ({"hyperparam_mutations": {"a": tune.grid_search([1])}}, "a grid cannot be drawn from"),
        ({"hyperparam_mutations": {"a": tune.sample_from(lambda: 1)}}, "sample_from cannot be drawn from"),
        ({"hyperparam_mutations": {"a": {}}}, r"hyperparam_mutations\['a'\]={}"),
        ({"custom_explore_fn": 3}, "custom_explore_fn=3"),
        ({"quantile_fraction": 0.6}, "quantile_fraction=0.6"),
        ({"resample_probability": -1}, "resample_probability=-1"),
        ({"perturbation_factors": (0, 1)}, "perturbation_factors="),
        ({"perturbation_interval": 0}, "perturbation_interval=0"),
        ({"burn_in_period": math.inf}, "burn_in_period=inf"),
        ({"time_attr": None}, "time_attr=None"),
        ({"mode": "maximum"}, "mode='maximum'"),
    ],
)
def test_bad_arguments_are_refused_where_they_are_written(arguments, named):
    with pytest.raises(BadArgument, match=named):
        pbt(**arguments)


def nothing_begun(tmp_path):
    return not list(tmp_path.rglob("checkpoint*")) and not list(tmp_path.rglob("result.json"))


def test_a_class_that_cannot_be_saved_is_refused(tmp_path):
    class Forgetful(tune.Trainable):
        def step(self):
            return {"loss": 1}

    for made in (pbt(), PopulationBasedTrainingReplay(empty(tmp_path))):
        with pytest.raises(BadArgument, match=r"a class that defines save_checkpoint\(\)"):
            fitted(tmp_path, Forgetful, made, num_samples=1)
    assert nothing_begun(tmp_path)


def test_a_space_that_does_not_fit_is_refused(tmp_path):
    wanted = r"param_space\['net'\]=3 .*a dict, since hyperparam_mutations has one for net"
    with pytest.raises(BadArgument, match=wanted):
        fitted(tmp_path, Walk, pbt(hyperparam_mutations={"net": {"width": [1]}}), space={"net": 3})
    with pytest.raises(BadArgument, match="metric and mode, in TuneConfig or in the scheduler"):
        tune.Tuner(Walk, tune_config=tune.TuneConfig(scheduler=pbt())).fit()
    assert nothing_begun(tmp_path)


def test_results_that_lack_what_is_required_end_the_experiment_with_an_explanation(tmp_path):
    with pytest.raises(PolicyError, match=r"time_attr='epoch' cannot be used: a result lacks it; it has .*loss.*steps"):
        fitted(tmp_path, Walk, pbt(time_attr="epoch"), executor="inline")


# -- the replay ------------------------------------------------------------------------------------------------------
def empty(tmp_path):
    path = tmp_path / "pbt_policy_none.txt"
    path.write_text("")
    return path


@pytest.mark.parametrize("trainable", [Walk, walk])
def test_a_schedule_gives_what_it_gave(tmp_path, trainable):
    results = fitted(tmp_path, trainable, pbt(), steps=15, executor="inline")
    replayed = 0
    for k, result in enumerate(results):
        path = policy(results, result.metrics["trial_id"])
        if path.exists():
            made = create_scheduler("pbt_replay", policy_file=str(path))
            (again,) = fitted(tmp_path, trainable, made, 1, f"r{k}", space={}, steps=15, executor="inline")
            assert again.metrics["rates"] == result.metrics["rates"]
            assert again.metrics["loss"] == result.metrics["loss"]
            assert again.config == result.config
            replayed += 1
    assert replayed >= 2


def test_a_file_of_rays(tmp_path, caplog):
    path = tmp_path / "pbt_policy_7ab12_00003.txt"
    path.write_text(
        '["3_lr=0.0100", "1_lr=0.0500", 4, 4, {"lr": 0.9}, {"lr": 0.9}]\n'
        '["1_lr=0.0500", "2_lr=0.0300", 4, 5, {"lr": 0.03}, {"lr": 0.05}]\n'
        '["3_lr=0.0100", "1_lr=0.0500", 8, 9, {"lr": 0.05}, {"lr": 0.01}]\n'
    )
    (result,) = fitted(tmp_path, Walk, PopulationBasedTrainingReplay(path), 1, space={"lr": 1.0}, executor="inline")
    assert result.metrics["rates"] == [0.03] * 5 + [0.05] * 4 + [0.01] * 3
    assert any("param_space is passed over" in r.getMessage() for r in caplog.records)


def test_a_schedule_without_checkpoints_is_explained(tmp_path, caplog):
    path = tmp_path / "p.txt"
    path.write_text('["0", "1", 4, 5, {"lr": 0.03}, {"lr": 0.05}]\n')
    trainable = tune.with_parameters(walk, every=0)
    (result,) = fitted(tmp_path, trainable, PopulationBasedTrainingReplay(str(path)), 1, space={}, executor="inline")
    assert result.metrics["rates"] == [0.03] * 12
    assert any("its config can only change where it has one" in r.getMessage() for r in caplog.records)


def test_files_that_are_none(tmp_path):
    with pytest.raises(BadArgument, match=r"a pbt_policy_<trial_id>\.txt that exists"):
        PopulationBasedTrainingReplay(tmp_path / "nowhere.txt")
    with pytest.raises(BadArgument, match="policy_file=3"):
        PopulationBasedTrainingReplay(3)  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="a file that can be read"):
        PopulationBasedTrainingReplay(tmp_path)
    bad = tmp_path / "bad.txt"
    for text in ("{", "[1, 2]", '["a", "b", 1, "x", {}, {}]', '["a", "b", 1, 2, 3, {}]', "3"):
        bad.write_text('["a", "b", 1, 2, {}, {}]\n' + text)
        with pytest.raises(BadArgument, match=r"six entries|line 2"):
            PopulationBasedTrainingReplay(bad)


def test_one_trial_only_and_a_config_to_begin_with(tmp_path):
    path = empty(tmp_path)
    with pytest.raises(BadArgument, match=r"num_samples=2 .*gone through by one trial"):
        fitted(tmp_path, Walk, PopulationBasedTrainingReplay(path), 2)
    with pytest.raises(BadArgument, match="a file with a schedule, or a param_space"):
        fitted(tmp_path, Walk, PopulationBasedTrainingReplay(path), 1, space={})
    (result,) = fitted(tmp_path, Walk, PopulationBasedTrainingReplay(path), 1, space={"lr": 0.1}, executor="inline")
    assert result.metrics["rates"] == [0.1] * 12
