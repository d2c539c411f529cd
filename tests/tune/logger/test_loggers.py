"""Users' own loggers, and what holds for all trackers: nobody waits for them, and nothing fails because of them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from typing import Any, ClassVar

import pytest

from luthier import tune
from luthier.tune.logger import (
    DEFAULT_LOGGERS,
    CSVLoggerCallback,
    JsonLoggerCallback,
    Logger,
    LoggerCallback,
    NoopLogger,
    TBXLogger,
    pretty_print,
)
from luthier.tune.logger import clerk as clerks
from luthier.tune.logger.clerk import Clerk
from luthier.tune.logger.loggers import LegacyLoggerCallback
from luthier.tune.logger.tracker import Tracker


def train(config):
    for i in range(2):
        os.makedirs(config["state"], exist_ok=True)
        tune.report({"loss": i}, checkpoint=tune.Checkpoint(config["state"]) if i == 0 else None)
    if config["x"] == 2:
        raise ValueError("two")


def fitted(path, *callbacks, trainable=train, **more):
    run = tune.RunConfig(
        name="e", storage_path=str(path), executor="inline", verbose=0, callbacks=list(callbacks), **more
    )
    space = {"x": tune.grid_search([1, 2]), "state": str(path / "state")}
    return tune.Tuner(trainable, param_space=space, run_config=run).fit()


def test_hooks_are_called_as_things_happen(tmp_path):
    told: list[tuple[Any, ...]] = []

    class Own(LoggerCallback):
        def log_trial_start(self, trial):
            told.append(("start", trial.config["x"]))

        def log_trial_restore(self, trial):
            told.append(("restore", trial.config["x"]))

        def log_trial_save(self, trial):
            told.append(("save", trial.config["x"], os.path.basename(trial.checkpoint.path)))

        def log_trial_result(self, iteration, trial, result):
            told.append(("result", trial.config["x"], result["loss"], result["trial_id"] == trial.trial_id))

        def log_trial_end(self, trial, failed=False):
            told.append(("end", trial.config["x"], failed))

    fitted(tmp_path, Own(), failure_config=tune.FailureConfig(max_failures=1))
    first = [("start", 1), ("result", 1, 0, True), ("save", 1, "checkpoint_000000"), ("result", 1, 1, True)]
    assert told[:5] == [*first, ("end", 1, False)]
    again = [("start", 2), ("restore", 2), ("result", 2, 0, True), ("save", 2, "checkpoint_000001")]
    assert told[9:13] == again and told[-1] == ("end", 2, True)


def test_what_a_logger_changes_stays_its_own(tmp_path):
    # results and configs were those of the experiment: what is returned, result.json and further attempts had changed
    class Meddler(LoggerCallback):
        def log_trial_result(self, iteration, trial, result):
            result["nested"]["a"].append(2)
            result["config"]["layers"].append(3)
            result["config"]["x"] = trial.config["x"] = 9
            trial.config["layers"].append(4)
            trial.last_result["nested"]["a"].append(5)

    def nested(config):
        assert config == {"x": config["x"], "layers": [1]} and config["x"] < 3
        tune.report({"loss": 1, "nested": {"a": [1]}})
        raise ValueError("as planned")

    run = tune.RunConfig(
        name="e", storage_path=str(tmp_path), executor="inline", verbose=0, callbacks=[Meddler()],
        failure_config=tune.FailureConfig(max_failures=1),
        stop=lambda trial_id, result: result["config"]["layers"].append(6),
    )  # fmt: skip
    grid = tune.Tuner(nested, param_space={"x": tune.grid_search([1, 2]), "layers": [1]}, run_config=run).fit()
    assert [str(error).count("as planned") for error in grid.errors] == [1, 1]
    for x, result in zip((1, 2), grid, strict=True):
        assert (result.config, result.metrics["nested"]) == ({"x": x, "layers": [1]}, {"a": [1]})
        with open(os.path.join(result.path, "result.json")) as file:
            rows = [json.loads(line) for line in file]
        assert [(row["config"], row["nested"]) for row in rows] == [(result.config, {"a": [1]})] * 2


def test_names_of_what_is_written_anyway(tmp_path):
    grid = fitted(tmp_path, JsonLoggerCallback(), CSVLoggerCallback())
    for result in grid:
        with open(f"{result.path}/result.json") as file:
            assert [json.loads(line)["loss"] for line in file] == [0, 1]
        assert os.path.exists(f"{result.path}/progress.csv")


def test_older_loggers(tmp_path):
    assert [kind.__name__ for kind in DEFAULT_LOGGERS] == ["JsonLogger", "CSVLogger"]

    class Own(Logger):
        def _init(self):
            self.heard = [self.config["lr"]]

        def on_result(self, result):
            self.heard.append(result["loss"])

    own = Own({"lr": 0.1}, str(tmp_path))
    own.on_result({"loss": 1})
    assert own.heard == [0.1, 1]
    for kind in (*DEFAULT_LOGGERS, NoopLogger, TBXLogger):
        logger = kind({"lr": 0.1}, str(tmp_path))
        logger.on_result({"loss": 1, "training_iteration": 1})
        logger.flush()
        logger.update_config({"lr": 0.2})
        logger.close()
    (written,) = os.listdir(tmp_path)
    assert "tfevents" in written and os.path.getsize(tmp_path / written) > 200


def test_one_of_several_older_loggers_may_fail(tmp_path, caplog):
    told: list[str] = []

    class Unmade(Logger):
        def _init(self):
            raise ValueError("not made")

    class Bad(Logger):
        def on_result(self, result):
            raise ValueError("not told")

        def flush(self):
            raise ZeroDivisionError

        close = flush

    class Good(Logger):
        def on_result(self, result):
            told.append("result")

        def close(self):
            told.append("closed")

    fitted(tmp_path, LegacyLoggerCallback([Unmade, Bad, Good]))
    assert told == ["result", "result", "closed"] * 2
    assert "not made" in caplog.text and "not told" in caplog.text


def test_results_as_text():
    import numpy as np

    told = {
        "b": {"c": np.float64(0.5)},
        "a": [1, 2],
        "config": {"x": 1},
        "none": None,
        "array": np.arange(2),
        "o": {1j},
    }
    assert pretty_print(told, exclude={"o"}) == "a:\n- 1\n- 2\narray:\n- 0\n- 1\nb:\n  c: 0.5\n"
    assert pretty_print({"o": 1j}) == "o: 1j\n"


class Slow(Tracker):
    """One that never comes to an end."""

    patience_s = 0.3
    threads: ClassVar[set[str]] = set()

    def result(self, trial, reading):
        self.threads.add(threading.current_thread().name)
        threading.Event().wait()


def test_nobody_waits_for_one_that_hangs(tmp_path, caplog):
    before = threading.active_count()
    began = time.process_time()
    grid = fitted(tmp_path, Slow())
    assert len(grid) == 2 and grid.num_errors == 1
    assert Slow.threads == {"luthier-Slow"} and threading.active_count() == before + 1
    assert time.process_time() - began < 20
    assert [r.message for r in caplog.records if "is not waited for any more" in r.message] != []


def test_what_fails_is_told_once(tmp_path, caplog):
    class Away(Tracker):
        def begin(self, trial, known):
            raise ConnectionError("no route to\nthe tracker")

        def end(self, trial, failed):
            raise KeyError("x")

    with caplog.at_level(logging.WARNING, "luthier"):
        grid = fitted(tmp_path, Away())
    assert len(grid) == 2
    told = [record.message for record in caplog.records if record.message.startswith("Away")]
    assert told[0] == "Away: ConnectionError: no route to (the experiment goes on; this is said once)"
    assert told[1:] == ["Away: 4 notes could not be logged."]


@pytest.mark.parametrize("text", ["", "a library that would leave"])
def test_whatever_is_raised_ends_no_thread(tmp_path, caplog, text):
    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError

    class Odd(Tracker):
        told: ClassVar[list[str]] = []

        def result(self, trial, reading):
            self.told.append(trial.trial_id)
            raise SystemExit(text) if text else Unspeakable

    Odd.told = []
    fitted(tmp_path, Odd())
    assert len(Odd.told) == 4
    (line,) = [r.message for r in caplog.records if r.message.startswith("Odd: ") and "said once" in r.message]
    assert text in line and ("SystemExit" if text else "Unspeakable") in line


def test_notes_are_of_the_moment_and_in_order(tmp_path):
    heard: dict[int, list[tuple[Any, ...]]] = {}
    left: list[Any] = []

    class Notes(Tracker):
        def begin(self, trial, known):
            heard[trial.config["x"]] = [("begin", known)]

        def result(self, trial, reading):
            time.sleep(0.01)  # the experiment is over by then
            heard[trial.config["x"]].append(("result", reading.step, reading.numbers["loss"]))

        def saved(self, trial, checkpoint):
            heard[trial.config["x"]].append(("saved", os.path.isdir(checkpoint)))

        def end(self, trial, failed):
            with open(f"{trial.folder}/result.json") as file:
                heard[trial.config["x"]].append(("end", failed, len(file.readlines())))

        def left(self, unfinished):
            left.append((unfinished, [notes[-1][0] for notes in heard.values()]))

    fitted(tmp_path, Notes())
    notes = [("begin", False), ("result", 1, 0.0), ("saved", True), ("result", 2, 1.0)]
    assert heard == {1: [*notes, ("end", False, 2)], 2: [*notes, ("end", True, 2)]}
    assert left == [([], ["end", "end"])]


def test_the_same_object_serves_another_experiment(tmp_path):
    class Counts(Tracker):
        ended = 0

        def end(self, trial, failed):
            self.ended += 1

    counts = Counts()
    fitted(tmp_path / "a", counts)
    fitted(tmp_path / "b", counts)
    assert counts.ended == 4


def test_a_clerk_does_all_in_order_and_drops_what_is_too_much(monkeypatch):
    monkeypatch.setattr(clerks, "MOST", 3)
    done: list[int] = []
    gate = threading.Event()
    failures: list[BaseException] = []
    clerk = Clerk("clerk", lambda: None, failures.append)
    clerk.post(gate.wait)
    deadline = time.monotonic() + 30
    while clerk._work and time.monotonic() < deadline:  # it has taken the first
        time.sleep(0.001)
    for i in range(5):
        clerk.post(done.append, i, needed=False)
    clerk.post(done.append, 9)
    gate.set()
    assert clerk.finish(30.0) is True
    assert (done, clerk.dropped, failures) == ([0, 1, 2, 9], 2, [])


def test_a_clerk_who_fails_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(clerks, "_SHORT", 0.05)
    clerk = Clerk("clerk", lambda: None, lambda error: None)
    never = threading.Event()

    def fail():
        raise OSError

    for _ in range(3):
        clerk.post(fail)
    clerk.post(never.wait)
    assert clerk.finish(3600.0) is False
    never.set()


def test_a_clerk_tries_again_what_may_pass_and_keeps_the_order(monkeypatch):
    monkeypatch.setattr(clerks, "_PAUSES", (0.01, 0.02))
    done: list[str] = []
    complaints: list[str] = []
    clerk = Clerk("clerk", lambda: None, lambda error: complaints.append(str(error)))

    def away():
        if len(complaints) < 5:
            raise clerks.Again from ConnectionError("away")
        done.append("there")

    clerk.post(away)
    clerk.post(done.append, "next")
    assert clerk.finish(30.0) is True
    assert done == ["there", "next"] and complaints == ["away"] * 5 and clerk.failed == 0


def test_a_clerk_who_is_never_answered_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(clerks, "_PAUSES", (0.01,))
    monkeypatch.setattr(clerks, "_SHORT", 0.2)
    clerk = Clerk("clerk", lambda: None, lambda error: None)

    def away():
        raise clerks.Again

    clerk.post(away)
    assert clerk.finish(3600.0) is False
    clerk._thread.join(30)
    assert not clerk._thread.is_alive()  # it does not go on behind everybody's back
