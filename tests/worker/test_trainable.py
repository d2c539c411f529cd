from __future__ import annotations

import os
from pathlib import Path

import pytest

from luthier.checkpoints.base import Checkpoint
from luthier.core.terms import Outcome, Verdict
from luthier.worker.assignment import Checkpointing
from luthier.worker.attempt import Runner
from luthier.worker.session import report
from luthier.worker.trainable import Saved, Trainable
from tests.worker.recorder import Recorder


class Counter(Trainable):
    """Saves itself in a file."""

    built = 0

    def setup(self, config):
        type(self).built += 1
        self.count, self.cleaned = 0, []
        self.steps = config.get("n", 10**9)

    def step(self):
        self.count += 1
        return {"count": self.count, "done": self.count >= self.steps, "timesteps_this_iter": 2}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "count").write_text(str(self.count))

    def load_checkpoint(self, checkpoint):
        self.count = int(Path(checkpoint, "count").read_text())


class InDict(Counter):
    def save_checkpoint(self, checkpoint_dir):
        return {"count": self.count}

    def load_checkpoint(self, checkpoint):
        self.count = checkpoint["count"]


# -- by itself -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", [Counter, InDict])
def test_by_itself(cls, tmp_path):
    training = cls({"n": 3})
    first, second = training.train(), training.train()
    assert (first["count"], second["count"]) == (1, 2)
    assert (second["training_iteration"], second["timesteps_total"], second["done"]) == (2, 4, False)
    assert (second["config"], second["trial_id"]) == ({"n": 3}, "default")
    assert training.iteration == training.training_iteration == 2
    saved = training.save()
    assert isinstance(saved, Saved)
    assert training.train()["done"] is True
    training.restore(saved)
    assert (training.iteration, training.count) == (2, 2)
    assert training.train()["timesteps_total"] == 6
    for given in (
        saved.checkpoint,
        saved.checkpoint.path,
        Path(training.save(str(tmp_path / "there")).checkpoint.path),
    ):
        other = cls({"n": 3})
        other.restore(given)
        assert other.count in (2, 3)
        assert other.iteration == 0
    training.stop()


def test_what_may_be_asked():
    training = Counter({"n": 3})
    assert training.get_config() == {"n": 3}
    assert (training.trial_id, training.trial_name, training.trial_resources) == ("default", "default", None)
    assert Path(training.logdir).is_dir()
    assert Counter.default_resource_request({}) is None
    assert Counter.resource_help({}) == ""
    training.train()
    assert training.get_state()["iteration"] == 1
    assert training.get_state()["last_result"]["count"] == 1
    assert training.export_model("onnx") == {}
    assert Trainable().config == {}


def test_exporting(tmp_path):
    class Exporting(Counter):
        def _export_model(self, export_formats, export_dir):
            return {f: os.path.join(export_dir, f) for f in export_formats}

    assert Exporting().export_model(["a"], str(tmp_path)) == {"a": str(tmp_path / "a")}


def test_setup_gets_a_copy():
    class Mutating(Counter):
        def setup(self, config):
            config["layers"].append(1)
            config["x"] = 1

    assert Mutating({"layers": []}).config == {"layers": []}


def test_a_checkpoint_that_is_gone():
    with pytest.raises(ValueError, match="gone"):
        Counter().restore("/never/there")


def test_a_missing_file_in_a_checkpoint_is_the_trainables_business(tmp_path):
    with pytest.raises(FileNotFoundError, match="count"):
        Counter().restore(tmp_path)


def test_another_path_is_refused():
    class Wrong(Counter):
        def save_checkpoint(self, checkpoint_dir):
            return "/somewhere/else"

    with pytest.raises(ValueError, match="/somewhere/else"):
        Wrong().save()


def test_the_given_path_may_be_returned(tmp_path):
    class Returning(Counter):
        def save_checkpoint(self, checkpoint_dir):
            super().save_checkpoint(checkpoint_dir)
            return checkpoint_dir + "/"

    assert (tmp_path / "x" / "count") == Path(Returning().save(str(tmp_path / "x")).checkpoint.path, "count")


@pytest.mark.parametrize("method", ["step", "save_checkpoint", "load_checkpoint"])
def test_what_is_not_defined_says_so(method):
    args = () if method == "step" else ("x",)
    with pytest.raises(NotImplementedError, match=rf"Trainable does not define {method}\(\)"):
        getattr(Trainable(), method)(*args)


# -- in a trial ------------------------------------------------------------------------------------------------------
def test_in_a_trial(run, tmp_path):
    logged = []

    class Logging(Counter):
        def log_result(self, result):
            resources = dict(self.trial_resources or {})
            logged.append((result["count"], self.trial_id, self.trial_name, self.logdir, resources))

    exited, channel = run(Logging, {"n": 2}, iteration=5, time_total_s=10.0, timesteps_total=10)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert [m["training_iteration"] for m in channel.metrics] == [6, 7]
    assert [m["timesteps_total"] for m in channel.metrics] == [12, 14]
    assert channel.metrics[0]["time_total_s"] > 10
    assert logged[0] == (1, "t_0", "t_0", str(tmp_path / "experiment" / "t_0"), {"cpu": 1.0})
    assert not {"config", "date", "trial_id"} & channel.metrics[0].keys()


@pytest.mark.parametrize("cls", [Counter, InDict])
@pytest.mark.parametrize(
    ("checkpointing", "reported", "at_exit"),
    [
        (Checkpointing(), [None] * 3, "t_0/checkpoint_000000"),
        (Checkpointing(at_end=False), [None] * 3, None),
        (Checkpointing(frequency=2), [None, "t_0/checkpoint_000000", None], "t_0/checkpoint_000001"),
        (Checkpointing(frequency=1, at_end=True), [f"t_0/checkpoint_00000{i}" for i in range(3)], None),
        (Checkpointing(frequency=3, at_end=False), [None, None, "t_0/checkpoint_000000"], None),
    ],
)
def test_when_it_is_saved(run, tmp_path, cls, checkpointing, reported, at_exit):
    exited, channel = run(cls, {"n": 3}, checkpointing=checkpointing)
    assert [r.checkpoint for r in channel.reports] == reported
    assert exited.checkpoint == at_exit
    last = at_exit or reported[-1]
    if last is not None:
        exited, channel = run(cls, {"n": 5}, restore=last, iteration=3, next_checkpoint=9)
        assert [m["count"] for m in channel.metrics] == [4, 5]
        assert [m["training_iteration"] for m in channel.metrics] == [4, 5]
        assert exited.checkpoint == "t_0/checkpoint_000009"


def test_asking_to_be_saved(run):
    class Asking(Counter):
        def step(self):
            return {**super().step(), "should_checkpoint": self.count == 2}

    _, channel = run(Asking, {"n": 3}, checkpointing=Checkpointing(at_end=False))
    assert [r.checkpoint for r in channel.reports] == [None, "t_0/checkpoint_000000", None]
    assert [m.get("should_checkpoint") for m in channel.metrics] == [None, True, None]


@pytest.mark.parametrize(
    ("verdict", "at_end", "saved"),
    [
        (Verdict.HALT, None, True),
        (Verdict.HALT, False, False),
        (Verdict.SAVE_AND_HALT, False, True),
        (Verdict.SAVE_AND_HALT, None, True),
    ],
)
def test_halting(run, verdict, at_end, saved):
    exited, channel = run(Counter, verdicts=[Verdict.CONTINUE, verdict], checkpointing=Checkpointing(at_end=at_end))
    assert exited.outcome is Outcome.HALTED
    assert len(channel.reports) == 2
    assert (exited.checkpoint is not None) is saved


def test_halting_one_that_cannot_save(run):
    class Forgetful(Trainable):
        def step(self):
            return {}

    exited, _ = run(Forgetful, verdicts=[Verdict.SAVE_AND_HALT])
    assert (exited.outcome, exited.checkpoint, exited.error) == (Outcome.HALTED, None, "")
    exited, _ = run(Forgetful, verdicts=[Verdict.HALT], checkpointing=Checkpointing(at_end=True))
    assert exited.outcome is Outcome.ERROR  # it was asked for
    assert "does not define save_checkpoint()" in exited.error


def test_done_and_halted_at_once_is_done(run):
    exited, _ = run(Counter, {"n": 1}, verdicts=[Verdict.HALT])
    assert exited.outcome is Outcome.FINISHED


def test_a_step_that_returns_no_dict(run):
    class Wrong(Trainable):
        def step(self):
            return 0.5

    exited, _ = run(Wrong)
    assert exited.outcome is Outcome.ERROR
    assert "the result of step()=0.5" in exited.error


def test_report_is_not_the_way(run):
    class Reporting(Counter):
        def step(self):
            report({"lost": 1})
            return super().step()

    with pytest.warns(UserWarning, match="return the results from step"):
        exited, channel = run(Reporting, {"n": 2})
    assert exited.outcome is Outcome.FINISHED
    assert len(channel.reports) == 2


def test_a_save_that_fails_leaves_nothing(run, tmp_path):
    class Broken(Counter):
        def save_checkpoint(self, checkpoint_dir):
            super().save_checkpoint(checkpoint_dir)
            raise RuntimeError("half way")

    exited, _ = run(Broken, checkpointing=Checkpointing(frequency=1))
    assert exited.outcome is Outcome.ERROR
    assert sorted(p.name for p in (tmp_path / "experiment" / "t_0").iterdir()) == ["error.pkl", "error.txt"]


# -- one after the other ---------------------------------------------------------------------------------------------
def runs(cls, assigned, *configs, reuse=True):
    cls.built = 0
    runner, results = Runner(cls, reuse=reuse), []
    for number, config in enumerate(configs):
        channel = Recorder()
        exited = runner.run(assigned(config, trial=f"t_{number}"), channel)
        results.append((exited.outcome, [m["count"] for m in channel.metrics]))
    runner.close()
    return results


def test_reuse(assigned):
    stopped = []

    class Reusable(Counter):
        def reset_config(self, new_config):
            self.count, self.steps = 0, new_config["n"]
            return self.steps != 3

        def cleanup(self):
            stopped.append((self.trial_id, self.iteration))

    done = Outcome.FINISHED
    assert runs(Reusable, assigned, {"n": 2}, {"n": 1}, {"n": 3}) == [(done, [1, 2]), (done, [1]), (done, [1, 2, 3])]
    assert Reusable.built == 2
    assert stopped == [("t_1", 1), ("t_2", 3)]
    assert runs(Reusable, assigned, {"n": 2}, {"n": 1}, reuse=False) == [(done, [1, 2]), (done, [1])]
    assert Reusable.built == 2


def test_a_failed_instance_is_not_reused(assigned):
    class Failing(Counter):
        def reset_config(self, new_config):
            raise AssertionError("never asked")

        def step(self):
            if self.config.get("fail"):
                raise RuntimeError("as asked")
            return super().step()

    assert runs(Failing, assigned, {"fail": True}, {"n": 1}) == [(Outcome.ERROR, []), (Outcome.FINISHED, [1])]


def test_a_failing_cleanup_is_said(run, capsys):
    class Messy(Counter):
        def cleanup(self):
            raise RuntimeError("cannot clean")

    exited, _ = run(Messy, {"n": 1})
    assert exited.outcome is Outcome.FINISHED
    assert "Messy.cleanup() failed" in capsys.readouterr().err


def test_checkpoints_may_be_restored_by_hand(run, tmp_path):
    exited, _ = run(Counter, {"n": 3})
    training = Counter({"n": 9})
    training.restore(Checkpoint(tmp_path / "experiment" / str(exited.checkpoint)))
    assert training.train()["count"] == 4
